"""People read from a file become contacts: one batch, a handful of statements, inside the caller's transaction.

An import adds and completes. It never changes the number of a contact, never empties a field, never replaces
a time zone the person stated, never lifts a suppression.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from contacts import placing
from contacts.mapping import Person, Problem
from contacts.models import Contact, ContactImport, ListMembership, Suppression, ZoneSource
from smsdesk import bulk_copy, bulk_sql, phones, public_ids

REPEATED = "The same phone stands in an earlier line of this file, which was taken."
EXTERNAL_ID_TAKEN = "Another contact has this external id. Correct the id or the phone."

_COLUMNS = (
    "name",
    "external_id",
    "language",
    "region",
    "time_zone",
    "time_zone_source",
    "birth_date",
    "attributes",
    "last_import",
    "updated_at",
)


@dataclass(slots=True)
class Merged:
    created: int = 0
    updated: int = 0
    duplicate: int = 0
    invalid: int = 0
    suppressed: int = 0
    problems: list[Problem] = field(default_factory=list)
    taken: list[tuple[str, str]] = field(default_factory=list)  # subscriber key and phone of everybody taken


def merge(
    people: Sequence[Person], *, contact_import: ContactImport, now: datetime, in_turn: Callable[[], None]
) -> Merged:
    """Insert or complete the contacts of `people`; safe beside other writers of the same phones.

    `in_turn` waits until all earlier rows of the file are written, where what they did might decide.
    """
    merged = Merged()
    columns = _columns(contact_import)
    fresh = _first_of_each_phone(people, columns=columns, merged=merged)
    # While a file has brought strangers only, the next are likely to be strangers, too: nobody is looked up.
    only_strangers = not contact_import.updated and not contact_import.duplicate
    new = _insert_all(fresh.values(), contact_import=contact_import, now=now) if only_strangers else None
    known: dict[str, Contact] = {}
    if new is None:
        known = _locked(fresh)
        for key in [key for key, contact in known.items() if contact.last_import == contact_import.pk]:
            _refuse_repeated(fresh.pop(key), columns=columns, merged=merged)
        _refuse_taken_external_ids(fresh, columns=columns, merged=merged, in_turn=in_turn)
        known = {key: contact for key, contact in known.items() if key in fresh}
        strangers = [person for key, person in fresh.items() if key not in known]
        new = _insert_missing(strangers, contact_import=contact_import, now=now)
        missed = {key: person for key, person in fresh.items() if key not in known and key not in new}
        known |= _locked(missed)  # somebody was faster
        for key in missed.keys() - known.keys():  # not inserted and not there: the external id is taken by now
            _refuse_external_id(fresh.pop(key), columns=columns, merged=merged)
        _complete([(contact, fresh[key]) for key, contact in known.items()], contact_import=contact_import, now=now)
    merged.created, merged.updated = len(new), len(known)
    _join(list(new.values()), [one.pk for one in known.values()], contact_import=contact_import, now=now)
    # In the order of the keys, like the contacts: neighbours in an index are then written together.
    merged.taken = sorted((key, person.phone.e164) for key, person in fresh.items())
    _report_suppressed(fresh, contact_import=contact_import, columns=columns, merged=merged)
    return merged


def suppressed_since(keys: Sequence[str], *, contact_import: ContactImport) -> dict[str, datetime]:
    """Which of these phones are suppressed for the brand of the import, and since when."""
    standing = Suppression.objects.filter(bulk_sql.among("subscriber_key", keys), lifted_by=None)
    covering = standing.filter(Q(brand=None) | Q(brand=contact_import.brand_id))
    return dict(covering.order_by("-since").values_list("subscriber_key", "since"))


def suppression_reason(since: datetime) -> str:
    return f"Imported, but still opted out since {since:%Y-%m-%d}. An import never lifts that; only the person can."


def external_ids_in_use(people: Mapping[str, Person]) -> dict[str, str]:
    """External id → subscriber key of the contact that has it already."""
    asked = [p.fields["external_id"] for p in people.values() if "external_id" in p.fields]
    owners = Contact.objects.filter(external_id__in=asked).values_list("external_id", "subscriber_key")
    return {external_id: key for external_id, key in owners if external_id is not None}


def _first_of_each_phone(
    people: Sequence[Person], *, columns: Mapping[str, str], merged: Merged
) -> dict[str, Person]:
    fresh: dict[str, Person] = {}
    for person in people:
        if fresh.setdefault(person.phone.subscriber_key, person) is not person:
            _refuse_repeated(person, columns=columns, merged=merged)
    return fresh


def _refuse_repeated(person: Person, *, columns: Mapping[str, str], merged: Merged) -> None:
    merged.duplicate += 1
    merged.problems.append(Problem(person.line, columns["phone"], phones.mask(person.phone.e164), REPEATED))


def _locked(people: Mapping[str, Person]) -> dict[str, Contact]:
    """The contacts that exist, locked in id order like everybody who locks contacts."""
    if not people:
        return {}
    rows = Contact.objects.filter(bulk_sql.among("subscriber_key", people)).order_by("id")
    return {contact.subscriber_key: contact for contact in rows.select_for_update(no_key=True)}


def _refuse_taken_external_ids(
    fresh: dict[str, Person], *, columns: Mapping[str, str], merged: Merged, in_turn: Callable[[], None]
) -> None:
    owners = external_ids_in_use(fresh)
    wanted = {person.fields.get("external_id"): key for key, person in fresh.items()}
    if any(wanted[external_id] != key for external_id, key in owners.items()):
        in_turn()  # an earlier row may give such an id up
        owners = external_ids_in_use(fresh)
    for key, person in list(fresh.items()):
        external_id = person.fields.get("external_id")
        if external_id and owners.setdefault(external_id, key) != key:
            _refuse_external_id(fresh.pop(key), columns=columns, merged=merged)


def _refuse_external_id(person: Person, *, columns: Mapping[str, str], merged: Merged) -> None:
    merged.invalid += 1
    merged.problems.append(
        Problem(
            person.line, columns.get("external_id", ""), person.fields.get("external_id", ""), EXTERNAL_ID_TAKEN
        )
    )


def _insert_all(
    people: Collection[Person], *, contact_import: ContactImport, now: datetime
) -> dict[str, int] | None:
    """Subscriber key → contact id when all of them are new; None: a phone or an external id is somebody's."""
    if not people:
        return {}
    own, shared = _new(people, now=now), _shared(contact_import, now=now)
    try:
        with transaction.atomic():
            bulk_copy.insert(Contact, own=own, shared=shared)
    except IntegrityError:
        return None
    return dict(zip(own["subscriber_key"], own["id"], strict=True))


def _insert_missing(people: Collection[Person], *, contact_import: ContactImport, now: datetime) -> dict[str, int]:
    """As `_insert_all` of those that are new by now; somebody else may add the same phone meanwhile."""
    new = _insert_all(people, contact_import=contact_import, now=now)
    if new is not None:
        return new
    columns = _new(people, now=now)
    columns["attributes"] = [json.loads(text) for text in columns["attributes"]]
    columns |= {name: [value] * len(people) for name, value in _shared(contact_import, now=now).items()}
    rows = list(zip(*columns.values(), strict=True))
    inserted = bulk_sql.insert_missing_rows(
        Contact, columns=tuple(columns), rows=rows, returning=("subscriber_key", "id")
    )
    return dict(inserted)


def _shared(contact_import: ContactImport, *, now: datetime) -> dict[str, Any]:
    """What all new contacts of a batch have in common."""
    pk = contact_import.pk
    return {"created_import": pk, "last_import": pk, "created_at": now, "updated_at": now}


def _new(people: Collection[Person], *, now: datetime) -> dict[str, Sequence[Any]]:
    """The columns in which new contacts differ."""
    # Sorted: two imports of the same new phones then wait for each other in one order only.
    people = sorted(people, key=lambda person: person.phone.subscriber_key)
    phones_of = [person.phone for person in people]
    fields = [person.fields for person in people]
    zones = [values.get("time_zone", "") for values in fields]
    return {
        "id": bulk_copy.fresh_ids(Contact, len(people)),
        "public_id": public_ids.fresh(len(people), now=now),
        "subscriber_key": [phone.subscriber_key for phone in phones_of],
        "phone": [phone.e164 for phone in phones_of],
        "country": [phone.region for phone in phones_of],
        "name": [values.get("name", "") for values in fields],
        "external_id": [values.get("external_id") for values in fields],
        "language": [values.get("language", "") for values in fields],
        "region": [values.get("region", "") for values in fields],
        "time_zone": zones,
        "time_zone_source": [ZoneSource.IMPORT.value if zone else "" for zone in zones],
        "birth_date": [values.get("birth_date") for values in fields],
        "attributes": [bulk_copy.as_json(person.attributes) for person in people],
    }


def _complete(pairs: Sequence[tuple[Contact, Person]], *, contact_import: ContactImport, now: datetime) -> None:
    rows = [(contact.pk, *_completed(contact, person), contact_import.pk, now) for contact, person in pairs]
    bulk_sql.update_rows(Contact, columns=_COLUMNS, rows=rows)


def _completed(contact: Contact, person: Person) -> tuple[Any, ...]:
    values = person.fields
    is_stated = contact.time_zone_source == ZoneSource.STATED
    zone = "" if is_stated else values.get("time_zone", "")
    return (
        values.get("name") or contact.name,
        values.get("external_id") or contact.external_id,
        values.get("language") or contact.language,
        values.get("region") or contact.region,
        zone or contact.time_zone,
        ZoneSource.IMPORT.value if zone else contact.time_zone_source,
        _younger(contact.birth_date, values.get("birth_date")),
        contact.attributes | person.attributes,
    )


def _younger(known: date | None, told: str | None) -> str | None:
    """Of two birth dates the later one counts: a file takes nobody past a minimum age."""
    return max((day for day in (known and known.isoformat(), told) if day), default=None)


def _join(new: Sequence[int], known: Sequence[int], *, contact_import: ContactImport, now: datetime) -> None:
    """Put both on the list of the import, while there is one; who is new is on none."""
    if contact_import.list_id is None or not placing.kept([contact_import.list_id]):
        return
    shared = {"list": contact_import.list_id, "added_at": now, "added_import": contact_import.pk}
    bulk_copy.insert(ListMembership, own={"contact": new}, shared=shared)
    rows = [(*shared.values(), pk) for pk in known]
    bulk_sql.insert_missing_rows(ListMembership, columns=(*shared, "contact"), rows=rows, returning=("id",))


def _report_suppressed(
    fresh: Mapping[str, Person], *, contact_import: ContactImport, columns: Mapping[str, str], merged: Merged
) -> None:
    for key, since in suppressed_since(list(fresh), contact_import=contact_import).items():
        person = fresh[key]
        merged.suppressed += 1
        shown = phones.mask(person.phone.e164)
        merged.problems.append(Problem(person.line, columns["phone"], shown, suppression_reason(since)))


def _columns(contact_import: ContactImport) -> dict[str, str]:
    """Target → the column that is read as it."""
    return {target: name for name, target in contact_import.mapping.items() if target}
