from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from contacts import anchoring, chain
from smsdesk.errors import DomainError


class Command(BaseCommand):
    help = "Walk the consent ledger and name the first event that was changed, removed or moved."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--anchor",
            metavar="SEQ:HASH",
            default="",
            help="What an earlier run printed, kept elsewhere: that event must still be there and unchanged.",
        )

        parser.add_argument(
            "--anchors", type=Path, help="A file anchor_ledger wrote: every head in it must be there."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = chain.first_break() or _lost_anchor(options["anchor"]) or _lost_of(options["anchors"])
        if found is not None:
            raise CommandError(f"The ledger does not hold at seq {found.seq}: {found.reason}.")
        if (stray := chain.stray_evidence()) is not None:
            raise CommandError(f"Evidence is kept for event id {stray}, which the ledger does not have.")
        seq, digest = chain.anchor()
        self.stdout.write(f"The ledger holds: {seq} events.\nanchor {seq}:{digest}")


def _lost_anchor(anchor: str) -> chain.Break | None:
    if not anchor:
        return None
    seq, _, digest = anchor.partition(":")
    if not seq.isdecimal() or len(digest) != 64:
        raise CommandError(
            f"--anchor: {anchor[:80]!r} is not of the form SEQ:HASH. Give what an earlier run printed."
        )
    return chain.check_anchor(int(seq), digest)


def _lost_of(file: Path | None) -> chain.Break | None:
    if file is None:
        return None
    try:
        return anchoring.first_lost(file)
    except (OSError, DomainError) as problem:
        shown = problem.sentence() if isinstance(problem, DomainError) else str(problem)
        raise CommandError(f"--anchors: {shown}") from problem
