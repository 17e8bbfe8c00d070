"""A text as one real person of the audience will read it."""

import random
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from campaigns import audience, preference_links, rendering, sender_choice
from campaigns.models import Campaign, Sender
from contacts.models import Contact
from smsdesk import sms_text

# The longest text is looked for among so many people; the waterfall finds it among all.
SEARCHED = 2_000

PICKS = ("first", "next", "previous", "random", "longest", "this")


@dataclass(frozen=True, slots=True)
class Preview:
    """`contact` None: nobody is in the audience, the text is shown with sample values."""

    contact: Contact | None
    sender: Sender | None  # they would get it from
    rendered: rendering.Rendered
    left: int  # characters until the next part begins
    forcing: tuple[str, ...]  # what makes the text UCS-2
    typographic: str  # the body with typographic characters replaced; "" where that changes nothing
    parts_saved: int


def of(campaign: Campaign, *, body: str, pick: str, contact_id: int | None, now: datetime) -> Preview:
    """The preview of `body`; raises `Invalid` where it does not compile."""
    template = rendering.compile(body)
    people = audience.contacts_of(campaign, at=audience.instant(campaign, now=now)).order_by("pk")
    contact = _person(people, template, campaign, pick=pick, contact_id=contact_id)
    rendered = template.render(_values(contact, campaign))
    measure = sms_text.measure(rendered.body)
    plain = sms_text.typographic(body) if measure.forcing else body
    saved = 0
    if plain != body:
        saved = rendered.parts - rendering.compile(plain).render(_values(contact, campaign)).parts
    return Preview(
        contact=contact,
        sender=sender_choice.of_contact(campaign, contact),
        rendered=rendered,
        left=measure.left,
        forcing=measure.forcing,
        typographic=plain if plain != body else "",
        parts_saved=max(saved, 0),
    )


def _values(contact: Contact | None, campaign: Campaign) -> dict[str, object]:
    brand, link = campaign.brand.name if campaign.brand else "Your brand", preference_links.example()
    if contact is None:
        return rendering.fields_of({"name": "Alex Doe", "language": "en", "country": "US"}, brand=brand, link=link)
    known = {
        "name": contact.name,
        "external_id": contact.external_id,
        "country": contact.country,
        "language": contact.language,
        "attributes": contact.attributes,
    }
    return rendering.fields_of(known, brand=brand, link=link)


def _person(
    people: "QuerySet[Contact]",
    template: rendering.Template,
    campaign: Campaign,
    *,
    pick: str,
    contact_id: int | None,
) -> Contact | None:
    if pick == "longest":
        return _longest(people, template, campaign)
    if pick == "random":
        return _random(people)
    if contact_id is None:
        return people.first()
    if pick == "next":
        return people.filter(pk__gt=contact_id).first() or people.first()
    if pick == "previous":
        return people.filter(pk__lt=contact_id).last() or people.last()
    return people.filter(pk=contact_id).first() or people.first()


def _random(people: "QuerySet[Contact]") -> Contact | None:
    """Somebody: a jump into the range of ids, not a sort of everybody."""
    first, last = people.first(), people.last()
    if first is None or last is None:
        return None
    return people.filter(pk__gte=random.randint(first.pk, last.pk)).first()


def _longest(people: "QuerySet[Contact]", template: rendering.Template, campaign: Campaign) -> Contact | None:
    longest, most = None, (-1, -1)
    for contact in people[:SEARCHED]:
        rendered = template.render(_values(contact, campaign))
        length = (rendered.parts, len(rendered.body))
        if length > most:
            longest, most = contact, length
    return longest
