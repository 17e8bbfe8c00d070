import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smsdesk.settings")

application = get_wsgi_application()

from inbound import replaying  # noqa: E402  needs the apps

replaying.begin()  # what a process before this one kept on disk and could not replay
