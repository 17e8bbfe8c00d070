"""Adding and changing contacts, one at a time. The number of a contact never changes: it is who they are.

None of these verbs touches consent or suppression: a person who opted out and is added again stays opted out.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from contacts import fields as rules
from contacts.models import Contact, ZoneSource
from smsdesk.errors import Conflict, Invalid
from smsdesk.phones import Phone

_SAMPLED = 500  # contacts whose attribute names are offered
_MOST_NAMES = 30
_CURE_UNKNOWN = "Leave it out, or put it into attributes."


def add(phone: Phone, *, fields: Mapping[str, Any], now: datetime) -> Contact:
    """A new contact; raises `Conflict` when the phone (or an alias form of it) or the external id is taken."""
    values = cleaned(fields)
    contact = Contact(
        phone=phone.e164,
        subscriber_key=phone.subscriber_key,
        country=phone.region,
        created_at=now,
        **_with_zone_source(values, contact=None),
    )
    try:
        with transaction.atomic():
            contact.save(force_insert=True)
    except IntegrityError as error:
        raise _taken(phone, values) from error
    return contact


def change(contact: Contact, *, fields: Mapping[str, Any]) -> Contact:
    """Set the given fields; those not given stay. Attributes are merged, an empty one is removed."""
    values = cleaned(fields)
    with transaction.atomic():
        current = Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
        if "attributes" in fields:
            given = fields["attributes"] or {}
            kept = {name: value for name, value in current.attributes.items() if name not in given}
            values["attributes"] = kept | values["attributes"]
            rules.clean_attributes(values["attributes"])
        changes = _with_zone_source(values, contact=current)
        for name, value in changes.items():
            setattr(current, name, value)
        try:
            with transaction.atomic():
                current.save(update_fields=[*changes, "updated_at"])
        except IntegrityError as error:
            raise _external_id_taken(values) from error
    return current


def upsert(*, external_id: str, phone: Phone, fields: Mapping[str, Any], now: datetime) -> tuple[Contact, bool]:
    """The contact of `external_id`, added or completed, and whether it was added.

    A phone that is known without an external id gets it; one that belongs to another external id, or an external
    id whose contact has another number, is a `Conflict`: nobody's number is changed in passing.
    """
    external_id = rules.clean("external_id", external_id)
    if not external_id:
        raise Invalid("external_id_missing", "The external id is empty.", field="external_id", cure="Give your id.")
    by_id = Contact.objects.filter(external_id=external_id).first()
    if by_id is not None and by_id.subscriber_key != phone.subscriber_key:
        raise Conflict(
            "phone_differs",
            "The contact with this external id has another phone.",
            field="phone",
            cure="A number is never changed. Add a contact with the new number and a new external id.",
        )
    known = by_id or Contact.objects.filter(subscriber_key=phone.subscriber_key).first()
    if known is None:
        try:
            return add(phone, fields={**fields, "external_id": external_id}, now=now), True
        except Conflict:  # somebody was faster, or a text of theirs came at this moment
            known = Contact.objects.filter(subscriber_key=phone.subscriber_key).first()
            if known is None:
                raise
    if known.external_id not in (None, external_id):
        raise _phone_taken()
    return change(known, fields={**fields, "external_id": external_id}), False


def attributes_in_use() -> tuple[str, ...]:
    """Attribute names of the newest contacts, to be offered; not the limit of what there is."""
    names: set[str] = set()
    newest = Contact.objects.order_by("-id").values_list("attributes", flat=True)[:_SAMPLED]
    for attributes in newest:
        if isinstance(attributes, dict):
            names.update(str(name) for name in attributes)
    return tuple(sorted(names)[:_MOST_NAMES])


def cleaned(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The given fields as they are stored; raises `Invalid` for an unknown one and for a bad value."""
    values: dict[str, Any] = {}
    for name, value in fields.items():
        if name not in rules.EDITABLE:
            raise Invalid("unknown_field", "A contact has no such field.", field=str(name)[:60], cure=_CURE_UNKNOWN)
        if name == "attributes":
            values[name] = rules.clean_attributes(_mapping(value))
        elif value is None or isinstance(value, str):
            values[name] = rules.clean(name, value or "")
        else:
            raise Invalid("not_a_text", "This is not a text.", field=name, cure="Send a string.")
    for name in ("external_id", "birth_date"):  # not known is NULL: an id is unique, and a date has no empty text
        if values.get(name) == "":
            values[name] = None
    return values


def _mapping(value: Any) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Invalid(
            "invalid_attributes",
            "Attributes are pairs of a name and a text.",
            field="attributes",
            cure='For example {"first_name": "Ann"}.',
        )
    return value


def _with_zone_source(values: Mapping[str, Any], *, contact: Contact | None) -> dict[str, Any]:
    """A zone from here comes from an address; what the person stated replaces the number's zones and is kept."""
    if "time_zone" not in values:
        return dict(values)
    zone = values["time_zone"]
    if contact is not None and contact.time_zone_source == ZoneSource.STATED:
        if zone != contact.time_zone:
            raise Conflict(
                "time_zone_stated",
                "This person stated their time zone themselves.",
                field="time_zone",
                value=zone,
                cure="Keep it, or record what they say now.",
            )
        return {name: value for name, value in values.items() if name != "time_zone"}
    if contact is not None and zone == contact.time_zone:
        return dict(values)
    return {**values, "time_zone_source": ZoneSource.ADDRESS if zone else ZoneSource.UNKNOWN}


def _taken(phone: Phone, values: Mapping[str, Any]) -> Conflict:
    if Contact.objects.filter(subscriber_key=phone.subscriber_key).exists():
        return _phone_taken()
    return _external_id_taken(values)


def _phone_taken() -> Conflict:
    return Conflict(
        "phone_taken",
        "There is a contact with this phone already.",
        field="phone",
        cure="Change that contact instead.",
    )


def _external_id_taken(values: Mapping[str, Any]) -> Conflict:
    return Conflict(
        "external_id_taken",
        "Another contact has this external id.",
        field="external_id",
        value=str(values.get("external_id") or "")[:60],
        cure="Use another id, or change that contact instead.",
    )
