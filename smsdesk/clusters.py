"""What a task cannot hear from django-q2: that the cluster it runs in has been asked to stop."""

import os

from django_q.conf import Conf
from django_q.status import Stat


def is_stopping() -> bool:
    """True once the cluster of this worker process is shutting down: SIGTERM reaches its main process only."""
    sentinel = os.getppid()
    return any(stat.sentinel == sentinel and str(stat.status) == str(Conf.STOPPING) for stat in Stat.get_all())
