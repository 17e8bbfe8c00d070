from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from contacts import anchoring, chain
from smsdesk.errors import DomainError


class Command(BaseCommand):
    help = "Hand the head of the consent ledger (time, number, hash) to a file or a mailbox outside."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--file", type=Path, help="append to this file (default: LEDGER_ANCHOR_FILE)")
        parser.add_argument("--mail", default="", help="send to this address (default: LEDGER_ANCHOR_MAIL)")
        parser.add_argument(
            "--compare", action="store_true", help="first see that every head in the file is still in the ledger"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        file, address = options["file"], options["mail"]
        if not file and not address:
            file, address = settings.LEDGER_ANCHOR_FILE, settings.LEDGER_ANCHOR_MAIL
        if options["compare"]:
            _compare(file)
        anchor = anchoring.head(now=timezone.now())
        try:
            if file:
                anchoring.append(Path(file), anchor)
            if address:
                anchoring.mail(address, anchor)
        except OSError as trouble:
            raise CommandError(f"The head could not be handed over: {trouble}.") from trouble
        self.stdout.write(anchor.line())


def _compare(file: Path | str | None) -> None:
    if not file:
        raise CommandError("--compare needs the file the heads were written to. Give it with --file.")
    if not Path(file).exists():
        return
    try:
        lost: chain.Break | None = anchoring.first_lost(Path(file))
    except DomainError as problem:
        raise CommandError(problem.sentence()) from problem
    if lost is not None:
        raise CommandError(f"The ledger does not hold at seq {lost.seq}: {lost.reason}.")
