"""Putting a contact on hand-made lists and taking it off."""

from collections.abc import Collection

from django.contrib.auth.models import AnonymousUser, User
from django.db import IntegrityError, connection, transaction

from contacts import audit, consent
from contacts.models import Contact, ContactList, ListMembership
from smsdesk import sms_text
from smsdesk.errors import Conflict, Invalid

LONGEST_NAME, LONGEST_DESCRIPTION = 100, 300
MOST_AT_ONCE = 50


def make(*, name: str, description: str = "") -> ContactList:
    """A new, empty list; raises `Conflict` where the name is taken."""
    text = " ".join(sms_text.clean(name).split())
    if not text or len(text) > LONGEST_NAME:
        cure = f"Use 1 to {LONGEST_NAME} characters."
        raise Invalid("list_name", "This is no name for a list.", field="name", value=text[:60], cure=cure)
    try:
        with transaction.atomic():
            return ContactList.objects.create(
                name=text, description=sms_text.clean(description)[:LONGEST_DESCRIPTION]
            )
    except IntegrityError as error:
        raise Conflict(
            "list_taken", "There is a list of this name already.", field="name", value=text, cure="Use that one."
        ) from error


def kept(list_ids: Collection[int]) -> set[int]:
    """Those of the lists that are there, and are not deleted before the caller's transaction ends.

    Whoever puts contacts on lists asks, and holds the contacts' locks, too.
    """
    lock = " FOR KEY SHARE" if connection.vendor == "postgresql" else ""  # SQLite has one writer at a time
    holes = ", ".join(["%s"] * len(list_ids)) or "NULL"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM contacts_contactlist WHERE id IN ({holes}) ORDER BY id{lock}", [*list_ids])
        return {row[0] for row in cursor.fetchall()}


def put(contact: Contact, names: Collection[str], *, by: User | AnonymousUser) -> None:
    """On lists of these names; where it stands already it stays. Raises `Invalid` for a list there is not."""
    with transaction.atomic():
        lists = _named(names)
        if not consent.lock([contact.pk]):
            return  # gone meanwhile
        has = set(ListMembership.objects.filter(contact=contact).values_list("list_id", flat=True))
        there = kept({one.pk for one in lists} - has)
        new = [one for one in lists if one.pk in there]
        ListMembership.objects.bulk_create(
            [ListMembership(list=one, contact=contact) for one in new], ignore_conflicts=True
        )
        if new:
            audit.note(contact, f"Put on lists: {_listed(new)}.", by=by)


def take_off(contact: Contact, names: Collection[str], *, by: User | AnonymousUser) -> None:
    with transaction.atomic():
        lists = _named(names)
        gone, _ = ListMembership.objects.filter(contact=contact, list__in=lists).delete()
        if gone:
            audit.note(contact, f"Taken off lists: {_listed(lists)}.", by=by)


def _named(names: Collection[str]) -> list[ContactList]:
    lists = list(ContactList.objects.filter(name__in=names).order_by("name"))
    missing = sorted(set(names) - {one.name for one in lists})
    if missing:
        cure = "Make it first."
        raise Invalid(
            "unknown_list", "There is no list of this name.", field="lists", value=missing[0][:60], cure=cure
        )
    return lists


def _listed(lists: Collection[ContactList]) -> str:
    return ", ".join(one.name for one in lists)
