"""The table of quiet hours: which rules apply to a number, and the version a decision names.

Shipped: `contacts/data/quiet_hours.csv`, seeded into `QuietHoursRule` rows that operators edit.
"""

import csv
import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import holidays

from contacts.frequency import Cap
from contacts.models import ClosedDay
from contacts.models.quiet_hours import QuietHoursRule, Week, read_windows

EVERYWHERE = "*"
NO_STATE_KNOWN = "US-simple"  # satisfies every US row, so it serves where the state of a US number is not known
_SHIPPED = Path(__file__).parent / "data" / "quiet_hours.csv"
_FRESH = 3.0  # seconds a process keeps the table before it reads it again
_NEVER: Week = (None,) * 7


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. An active one with `replaces` (a profile) stands for all rows of that country."""

    code: str
    windows: Week
    closed_on_holidays: bool = False
    daily_most: int | None = None
    replaces: str = ""
    is_active: bool = True


@dataclass(frozen=True, eq=False, slots=True)
class Rule:
    """One row of the table for one region. Compared by identity: a new version of the table is new rules."""

    code: str
    windows: Week
    closed_on_holidays: bool = False
    region: str = ""  # whose public holidays: "US-RI", "FR"; for "*" the country of the number
    closed_days: frozenset[date] = frozenset()
    cap: Cap | None = None  # of the state's law


@dataclass(frozen=True, eq=False)
class RuleBook:
    """The table as it stood at one moment; `version` changes with any row that bears on a decision."""

    version: str
    rows: Mapping[str, Row]
    closed_days: Mapping[str, frozenset[date]] = field(default_factory=dict)
    _chosen: dict[tuple[str, str, str], tuple[Rule, ...]] = field(default_factory=dict)
    _made: dict[tuple[str, str], Rule] = field(default_factory=dict)

    def rules_for(self, country: str, *, address_state: str, number_state: str) -> tuple[Rule, ...]:
        """The country's row (`*` when it has none) and that of every US state anything points to.

        An active profile of the country stands for all of them.
        """
        key = (country, address_state, number_state)
        chosen = self._chosen.get(key)
        if chosen is None:
            chosen = self._chosen[key] = tuple(self.rule(code, country=country) for code in self._codes(*key))
        return chosen

    def rule(self, code: str, *, country: str) -> Rule:
        """The row `code`; a book without it (and without `*`) gives a rule that is always closed."""
        made = self._made.get((code, country))
        if made is None:
            made = self._made[code, country] = self._make(code, country=country)
        return made

    def _make(self, code: str, *, country: str) -> Rule:
        row = self.rows.get(code)
        if row is None or (code == EVERYWHERE and not row.is_active):
            row = Row(code, _NEVER)
        region = country if code == EVERYWHERE else row.replaces or code
        cap = Cap(row.daily_most, source=code) if row.daily_most else None
        closed = self.closed_days.get(code, frozenset()) | self.closed_days.get(EVERYWHERE, frozenset())
        return Rule(code, row.windows, row.closed_on_holidays, region, closed, cap)

    def _codes(self, country: str, address_state: str, number_state: str) -> list[str]:
        country = "GB" if country in ("GG", "IM", "JE") else country
        profile = next((row.code for row in self.rows.values() if row.replaces == country and row.is_active), None)
        if profile:
            return [profile]
        codes = [country if self._applies(country) else EVERYWHERE]
        if country != "US":
            return codes
        states = sorted({f"US-{state}" for state in (address_state, number_state) if state})
        codes += [code for code in states if self._applies(code)]
        return codes if states else [*codes, NO_STATE_KNOWN]

    def _applies(self, code: str) -> bool:
        return code in self.rows and self.rows[code].is_active and not self.rows[code].replaces


_read: tuple[float, RuleBook] | None = None


def load() -> RuleBook:
    """The table from the database, at most 3 seconds old; the shipped one while the database has no row."""
    global _read
    if _read is None or time.monotonic() - _read[0] > _FRESH:
        rows = [_stored(rule) for rule in QuietHoursRule.objects.order_by("code")] or shipped()
        closed = list(ClosedDay.objects.values_list("code", "day"))
        fresh = book_of(rows, closed=closed)
        _read = (time.monotonic(), _read[1] if _read and _read[1].version == fresh.version else fresh)
    return _read[1]


def forget() -> None:
    """Read the table again at the next question: whoever just edited it wants to see the effect."""
    global _read
    _read = None


def book_of(rows: Iterable[Row], *, closed: Iterable[tuple[str, date]] = ()) -> RuleBook:
    """A book of these rows and closed days (code, day)."""
    rows = sorted(rows, key=lambda row: row.code)
    days: dict[str, frozenset[date]] = {}
    for code, day in sorted(closed):
        days[code] = days.get(code, frozenset()) | {day}
    version = hashlib.sha256(
        repr((rows, sorted((code, sorted(of)) for code, of in days.items()), holidays.__version__)).encode()
    )
    return RuleBook(version.hexdigest()[:12], {row.code: row for row in rows}, days)


def shipped() -> list[Row]:
    return [
        Row(
            line["code"],
            read_windows(json.loads(line["windows_json"])),
            line["holidays"] == "closed",
            int(line["daily_most"]) if line["daily_most"] else None,
            line["replaces"],
            not line["replaces"],
        )
        for line in lines()
    ]


def lines() -> list[dict[str, str]]:
    """The lines of the shipped table, by column."""
    with _SHIPPED.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _stored(rule: QuietHoursRule) -> Row:
    return Row(
        rule.code,
        read_windows(rule.windows),
        rule.closed_on_holidays,
        rule.daily_most,
        rule.replaces,
        rule.is_active,
    )
