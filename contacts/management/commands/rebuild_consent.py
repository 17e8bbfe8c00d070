from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from contacts import rebuilding


class Command(BaseCommand):
    help = "Compute the state of every consent and suppression anew from the ledger."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail at the first difference")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            difference = rebuilding.first_difference()
            if difference is not None:
                raise CommandError(f"Phone key {difference.subscriber_key}: {difference.what}.")
            self.stdout.write("The tables say what the ledger says.")
            return
        done = rebuilding.rebuild()
        self.stdout.write(f"{done.phones} phones read, {done.written} written.")
        if done.kept:
            self.stdout.write(f"{done.kept} suppressions stand that the ledger does not explain; look at them.")
