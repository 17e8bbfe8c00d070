"""What an import would do with its first rows: the same reading, nothing written."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, takewhile

from contacts import foreseeing, import_batches, mapping
from contacts.models import ContactImport
from smsdesk import phones

ROWS = 50
OUTCOMES = {
    "created": "pill-ok",
    "updated": "pill-ok",
    "suppressed": "pill-wait",
    "duplicate": "pill-off",
    "invalid": "pill-bad",
    "consents": "pill-ok",
}


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    phone: str  # masked where it is a number, else as it stands in the file
    name: str
    outcome: str
    reasons: Sequence[str]

    @property
    def word(self) -> str:
        return foreseeing.COUNTS[self.outcome]

    @property
    def pill(self) -> str:
        return OUTCOMES[self.outcome]


@dataclass(frozen=True, slots=True)
class Preview:
    rows: Sequence[Row]

    def counts(self) -> list[tuple[str, str, int]]:
        """Word, pill and number of each outcome that occurs."""
        found = Counter(row.outcome for row in self.rows)
        return [(foreseeing.COUNTS[name], pill, found[name]) for name, pill in OUTCOMES.items() if found[name]]


def preview(contact_import: ContactImport, *, now: datetime) -> Preview:
    read = import_batches.reader(contact_import).read
    records = import_batches.records(contact_import, offset=contact_import.offset, line=contact_import.line)
    # Behind thousands of blank lines nobody looks for an example.
    outcomes = [read(record) for record in islice(takewhile(lambda one: not one.is_blank, records), ROWS)]
    people = [outcome.person for outcome in outcomes if outcome.person]
    met = foreseeing.Met()
    fates = iter(foreseeing.foresee(people, contact_import=contact_import, met=met, now=now))
    return Preview([_row(outcome, next(fates) if outcome.person else None) for outcome in outcomes])


def _row(outcome: mapping.Outcome, fate: foreseeing.Fate | None) -> Row:
    person = outcome.person
    if person is None or fate is None:
        first = outcome.problems[0]
        return Row(first.line, first.value, "", "invalid", _reasons(outcome.problems))
    reasons = _reasons([*outcome.problems, *fate.problems])
    kind = "suppressed" if fate.is_suppressed else fate.outcome
    return Row(person.line, phones.mask(person.phone.e164), _name(person), kind, reasons)


def _reasons(problems: Sequence[mapping.Problem]) -> list[str]:
    return [f"{problem.column}: {problem.reason}" if problem.column else problem.reason for problem in problems]


def _name(person: mapping.Person) -> str:
    return person.fields.get("name", "") or person.attributes.get("first_name", "")
