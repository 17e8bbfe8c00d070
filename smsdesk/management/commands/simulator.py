from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from smsdesk.simulator import options, server
from smsdesk.simulator.accounts import BadAccounts
from smsdesk.simulator.faults import BadFault


class Command(BaseCommand):
    help = "Run the carrier simulator: provider dialects, handsets at /phones, faults on purpose."
    # It never touches the desk's database, so it also runs where the desk itself cannot.
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        options.add_arguments(parser)

    def handle(self, *args: Any, **values: Any) -> None:
        try:
            server.run(options.from_arguments(values))
        except (BadAccounts, BadFault, server.CannotStart) as error:
            raise CommandError(str(error)) from error
