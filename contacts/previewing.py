"""What an import would do with its first rows: the same reading, nothing written."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from contacts import importing, mapping, merging
from contacts.models import Contact, ContactImport
from smsdesk import phones

ROWS = 50
OUTCOMES = {
    "create": ("New", "pill-ok"),
    "update": ("Known: completed", "pill-ok"),
    "suppressed": ("Imported, still opted out", "pill-wait"),
    "duplicate": ("Duplicate", "pill-off"),
    "invalid": ("Not imported", "pill-bad"),
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
        return OUTCOMES[self.outcome][0]

    @property
    def pill(self) -> str:
        return OUTCOMES[self.outcome][1]


@dataclass(frozen=True, slots=True)
class Preview:
    rows: Sequence[Row]

    def counts(self) -> list[tuple[str, str, int]]:
        """Word, pill and number of each outcome that occurs."""
        found = Counter(row.outcome for row in self.rows)
        return [(word, pill, found[name]) for name, (word, pill) in OUTCOMES.items() if found[name]]


def preview(contact_import: ContactImport) -> Preview:
    read = importing.reader(contact_import).read
    outcomes = [(record, read(record)) for record in islice(importing.records(contact_import), ROWS)]
    people = {o.person.phone.subscriber_key: o.person for _, o in reversed(outcomes) if o.person}
    known = set(Contact.objects.filter(subscriber_key__in=people).values_list("subscriber_key", flat=True))
    suppressed = merging.suppressed_since(list(people), contact_import=contact_import)
    owners = merging.external_ids_in_use(people)
    rows = []
    for record, outcome in outcomes:
        person = outcome.person
        reasons = [f"{p.column}: {p.reason}" if p.column else p.reason for p in outcome.problems]
        if person is None:
            rows.append(Row(record.line, outcome.problems[0].value, "", "invalid", reasons))
            continue
        key = person.phone.subscriber_key
        kind = "update" if key in known else "create"
        external_id = person.fields.get("external_id")
        if people[key] is not person:
            kind, reasons = "duplicate", ["The same phone stands in an earlier line."]
        elif external_id and owners.setdefault(external_id, key) != key:
            kind, reasons = "invalid", ["Another contact has this external id."]
        elif key in suppressed:
            kind, reasons = "suppressed", [*reasons, merging.suppression_reason(suppressed[key])]
        rows.append(Row(record.line, phones.mask(person.phone.e164), _name(person), kind, reasons))
    return Preview(rows)


def _name(person: mapping.Person) -> str:
    return person.fields.get("name", "") or person.attributes.get("first_name", "")
