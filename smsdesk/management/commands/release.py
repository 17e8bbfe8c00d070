"""`manage.py release`: a database that was restored may send again."""

import getpass

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from campaigns import restoring
from smsdesk.errors import DomainError


class Command(BaseCommand):
    help = (
        "Release a desk that is held because its database was restored (docs/trouble.md). Stop the old one first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--by", default=getpass.getuser(), help="Who releases it; kept.")

    def handle(self, *, by: str, **options: object) -> None:
        instance = restoring.held()
        if instance is not None:
            self.stdout.write(f"Held since {instance.held_at:%Y-%m-%d %H:%M:%S %Z}: {instance.held_reason}")
        try:
            restoring.release(by=by, now=timezone.now())
        except DomainError as error:
            raise CommandError(error.sentence()) from None
        self.stdout.write("Released: it sends again.")
