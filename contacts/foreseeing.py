"""What an import would do with people of its file, as far as can be told without doing it: nothing is written.

The same questions as `contacts/merging.py` asks, in the same order; a test holds the two against each other.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from contacts import imported_consent, merging
from contacts.mapping import Person, Problem
from contacts.models import Contact, ContactImport
from smsdesk import bulk_sql, phones

# Outcome of a row → how many, in the order in which people are told; the last two are also among the first two.
COUNTS = {
    "created": "New",
    "updated": "Known: completed",
    "duplicate": "Duplicate",
    "invalid": "Not imported",
    "suppressed": "Imported, still opted out",
    "consents": "Consent recorded",
}


@dataclass(frozen=True, slots=True)
class Fate:
    """Of one row: what it becomes (the first four of `COUNTS`), why, and what comes with it."""

    outcome: str
    problems: Sequence[Problem] = ()
    is_suppressed: bool = False
    brings_consent: bool = False
    frees: str = ""  # the external id the contact had before, which a later line may give to another

    @property
    def is_taken(self) -> bool:
        return self.outcome in ("created", "updated")


@dataclass(frozen=True, slots=True)
class Met:
    """Phones and external ids of earlier lines that would be taken, and the ids these would replace."""

    phones: Collection[str] = field(default_factory=frozenset)
    external_ids: Collection[str] = field(default_factory=frozenset)
    freed: Collection[str] = field(default_factory=frozenset)


def foresee(people: Sequence[Person], *, contact_import: ContactImport, met: Met, now: datetime) -> list[Fate]:
    """The fate of each of these rows, in their order, where `met` stood in earlier lines."""
    first = {person.phone.subscriber_key: person for person in reversed(people)}
    rows = Contact.objects.filter(bulk_sql.among("subscriber_key", first))
    known = dict(rows.values_list("subscriber_key", "external_id"))
    suppressed = merging.suppressed_since(list(first), contact_import=contact_import)
    in_use = merging.external_ids_in_use(first)
    owners = {external_id: key for external_id, key in in_use.items() if external_id not in met.freed}
    consenting = imported_consent.would_record(list(first), contact_import=contact_import, now=now)
    columns = {target: name for name, target in contact_import.mapping.items() if target}
    fates = []
    for person in people:
        key, external_id = person.phone.subscriber_key, person.fields.get("external_id")
        shown = phones.mask(person.phone.e164)
        if first[key] is not person or key in met.phones:
            fates.append(_refused("duplicate", person, columns["phone"], shown, merging.REPEATED))
        elif external_id and (external_id in met.external_ids or owners.setdefault(external_id, key) != key):
            column = columns.get("external_id", "")
            fates.append(_refused("invalid", person, column, external_id, merging.EXTERNAL_ID_TAKEN))
        else:
            since = suppressed.get(key)
            said = (
                [Problem(person.line, columns["phone"], shown, merging.suppression_reason(since))] if since else []
            )
            outcome = "updated" if key in known else "created"
            frees = known.get(key) or "" if external_id else ""
            fates.append(Fate(outcome, said, bool(since), key in consenting, frees))
    return fates


def _refused(outcome: str, person: Person, column: str, value: str, reason: str) -> Fate:
    return Fate(outcome, [Problem(person.line, column, value, reason)])
