"""The ledger's head, handed to a witness outside: a file that is only appended to, or a mail.

A chain alone shows careless edits. Whoever can rewrite every row can rehash them all; only a head that was kept
elsewhere shows that.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.core.mail import send_mail

from contacts import chain
from contacts.models import LedgerAnchor
from smsdesk.errors import Invalid

_DAILY = timedelta(hours=20)  # a day, with room for a schedule that is early


@dataclass(frozen=True, slots=True)
class Anchor:
    taken_at: datetime
    seq: int
    hash: str

    def line(self) -> str:
        return f"{self.taken_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {self.seq} {self.hash}"


def head(*, now: datetime) -> Anchor:
    seq, digest = chain.anchor()
    return Anchor(now, seq, digest)


def append(path: Path, anchor: Anchor) -> None:
    """Add one line to the file and see it to the disk; what stands there is never rewritten."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, f"{anchor.line()}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    _note(anchor, kept_in=str(path))


def mail(address: str, anchor: Anchor) -> None:
    send_mail(
        f"smsdesk: head of the consent ledger, event {anchor.seq}",
        f"{anchor.line()}\n\nKeep this mail. It shows later that no event up to number {anchor.seq} was changed or "
        f"removed:\n\n    manage.py verify_ledger --anchor {anchor.seq}:{anchor.hash}\n",
        settings.DEFAULT_FROM_EMAIL,
        [address],
    )
    _note(anchor, kept_in=address)


def hand_over_daily(*, now: datetime) -> None:
    """To the file and the mailbox of the settings, each once a day, where there is something new."""
    anchor = head(now=now)
    if settings.LEDGER_ANCHOR_FILE and _is_due(anchor, kept_in=settings.LEDGER_ANCHOR_FILE):
        append(Path(settings.LEDGER_ANCHOR_FILE), anchor)
    if settings.LEDGER_ANCHOR_MAIL and _is_due(anchor, kept_in=settings.LEDGER_ANCHOR_MAIL):
        mail(settings.LEDGER_ANCHOR_MAIL, anchor)


def _is_due(anchor: Anchor, *, kept_in: str) -> bool:
    lately = LedgerAnchor.objects.filter(kept_in=kept_in[:300], taken_at__gt=anchor.taken_at - _DAILY)
    known = LedgerAnchor.objects.filter(kept_in=kept_in[:300], seq=anchor.seq, hash=anchor.hash)
    return anchor.seq > 0 and not lately.exists() and not known.exists()


def read(path: Path) -> Iterator[Anchor]:
    """The heads a file holds, the earliest first. Raises `Invalid` for a line that is none."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _parsed(line, number=number, path=path)


def first_lost(path: Path) -> chain.Break | None:
    """The first head in the file that the ledger no longer has."""
    return next((lost for one in read(path) if (lost := chain.check_anchor(one.seq, one.hash))), None)


def covering(seq: int) -> LedgerAnchor | None:
    """The earliest head handed out that an event of this number stands under."""
    return LedgerAnchor.objects.filter(seq__gte=seq).order_by("seq", "taken_at").first()


def _parsed(line: str, *, number: int, path: Path) -> Anchor:
    match line.split():
        case [moment, seq, digest] if seq.isascii() and seq.isdecimal() and len(seq) < 19 and len(digest) == 64:
            try:
                taken_at = datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
            except ValueError:
                pass
            else:
                return Anchor(taken_at, int(seq), digest)
    raise Invalid(
        "invalid_anchor",
        f"Line {number} is not of the form TIME NUMBER HASH.",
        field=str(path),
        value=line.strip()[:60],
        cure="Give the file as anchor_ledger wrote it.",
    )


def _note(anchor: Anchor, *, kept_in: str) -> None:
    LedgerAnchor.objects.get_or_create(
        seq=anchor.seq, hash=anchor.hash, kept_in=kept_in[:300], defaults={"taken_at": anchor.taken_at}
    )
