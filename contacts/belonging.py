"""Which phones are one person's: the contact's own, and those whose contacts were merged into it."""

from collections.abc import Collection
from typing import Any

from django.db.models import Exists, OuterRef, Q

from contacts.models import Contact, UnitedPhone
from smsdesk import bulk_sql


def keys_of(contact: Contact) -> tuple[str, ...]:
    """Subscriber keys whose history is this contact's, its own first; without those that are contacts again."""
    again = Contact.objects.filter(subscriber_key=OuterRef("subscriber_key"))
    united = UnitedPhone.objects.filter(~Exists(again), contact=contact).order_by("pk")
    return (contact.subscriber_key, *united.values_list("subscriber_key", flat=True))


def others_of(keys: Collection[str]) -> dict[str, str]:
    """Every other phone of the people who have these: subscriber key → phone.

    From tie to tie: a phone that is a contact again may have been merged with a third one.
    """
    found: dict[str, str] = {}
    fresh = list(keys)
    while fresh and (
        owners := _owners(Contact.objects.filter(bulk_sql.among("subscriber_key", fresh)), keys=fresh)
    ):
        near: dict[str, str] = {}
        for owner in Contact.objects.filter(pk__in=owners).prefetch_related("united_phones"):
            near[owner.subscriber_key] = owner.phone
            near |= {one.subscriber_key: one.phone for one in owner.united_phones.all()}
        fresh = [key for key in near if key not in found and key not in keys]
        found |= near
    return {key: phone for key, phone in found.items() if key not in keys}


def with_relatives(ids: Collection[int]) -> set[int]:
    """These contacts, and those that share a person with one of them: an opt-out of one is written for all."""
    found, fresh = set(ids), set(ids)
    while fresh:
        chosen = Contact.objects.filter(pk__in=fresh)
        owners = _owners(chosen, keys=chosen.values("subscriber_key"))
        if not owners:
            break
        keys = UnitedPhone.objects.filter(contact__in=owners).values("subscriber_key")
        again = Contact.objects.filter(subscriber_key__in=keys).values_list("pk", flat=True)
        fresh = {*owners, *again} - found
        found |= fresh
    return found


def _owners(contacts: Any, *, keys: Any) -> set[int]:
    """Contacts into which others were merged, of these contacts and phones; for nearly everybody there is none."""
    tied = UnitedPhone.objects.filter(Q(contact__in=contacts) | Q(subscriber_key__in=keys))
    return set(tied.values_list("contact_id", flat=True))
