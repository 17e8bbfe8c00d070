"""Which phones are one person's: the contact's own, and those whose contacts were merged into it."""

from django.db.models import Exists, OuterRef, Q

from contacts.models import Contact, UnitedPhone


def keys_of(contact: Contact) -> tuple[str, ...]:
    """Subscriber keys whose history is this contact's, its own first; without those that are contacts again."""
    again = Contact.objects.filter(subscriber_key=OuterRef("subscriber_key"))
    united = UnitedPhone.objects.filter(~Exists(again), contact=contact).order_by("pk")
    return (contact.subscriber_key, *united.values_list("subscriber_key", flat=True))


def others_of(subscriber_key: str) -> dict[str, str]:
    """Every other phone of the person who has this one: subscriber key → phone."""
    owners = Contact.objects.filter(
        Q(subscriber_key=subscriber_key) | Q(united_phones__subscriber_key=subscriber_key)
    ).distinct()
    found: dict[str, str] = {}
    for owner in owners.prefetch_related("united_phones"):
        found[owner.subscriber_key] = owner.phone
        found |= {one.subscriber_key: one.phone for one in owner.united_phones.all()}
    found.pop(subscriber_key, None)
    return found
