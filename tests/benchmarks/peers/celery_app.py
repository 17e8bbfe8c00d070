"""One task per text: `celery --app tests.benchmarks.peers.celery_app worker --pool prefork --concurrency 2`."""

import os

import celery
import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.benchmarks.peers.settings")
django.setup()

from django.utils import timezone  # noqa: E402

from tests.benchmarks.peers import carrier  # noqa: E402
from tests.benchmarks.peers.models import Text  # noqa: E402

app = celery.Celery("peers", broker=os.environ["PEERS_BROKER"])
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)
# As it comes, Celery closes the connection to the database after each task, which costs more than the task.
app.conf["CELERY_DB_REUSE_MAX"] = 1_000_000


@app.task
def send_text(pk: int) -> None:
    text = Text.objects.get(pk=pk)
    gateway_id = carrier.post(text.phone, text.body, reference=str(pk))
    Text.objects.filter(pk=pk).update(state="sent", gateway_id=gateway_id, sent_at=timezone.now())
