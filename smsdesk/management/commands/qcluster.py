"""`manage.py qcluster`: django-q2's cluster, none of whose processes outlives its parent."""

from typing import Any

from django_q.management.commands import qcluster

from smsdesk import orphans


class Command(qcluster.Command):  # type: ignore[misc]
    def handle(self, *args: Any, **options: Any) -> Any:
        orphans.guard_children()
        return super().handle(*args, **options)
