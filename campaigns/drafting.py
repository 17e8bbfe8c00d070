"""A campaign before it is launched: making one, copying one, and what its text may name."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from campaigns import further_senders, rendering
from campaigns.models import Campaign, CampaignState, Sender
from contacts import people
from contacts.models import Brand, Contact
from smsdesk.errors import WrongState

_MOST_NAMES = 30  # asked one by one


def new(*, name: str, by: AbstractBaseUser) -> Campaign:
    """A draft; where there is only one brand, and one sender of it, they are chosen already."""
    brands = list(Brand.objects.all()[:2])
    brand = brands[0] if len(brands) == 1 else None
    senders = list(Sender.objects.filter(brand=brand).order_by("-is_default", "id")) if brand else []
    default = next((s for s in senders if s.is_default or len(senders) == 1), None)
    return Campaign.objects.create(name=name, brand=brand, sender=default, created_by_id=by.pk)


def duplicate(campaign: Campaign, *, by: AbstractBaseUser) -> Campaign:
    """A new draft with the same text and audience, and no times: those of the old one are past."""
    with transaction.atomic():
        copy = Campaign.objects.create(
            name=f"{campaign.name[:113]} (copy)",
            brand=campaign.brand,
            sender=campaign.sender,
            purpose=campaign.purpose,
            body=campaign.body,
            restricted=campaign.restricted,
            min_age=campaign.min_age,
            when_capped=campaign.when_capped,
            budget=campaign.budget,
            created_by_id=by.pk,
        )
        copy.include.set(campaign.include.all())
        copy.exclude.set(campaign.exclude.all())
        copy.include_segments.set(campaign.include_segments.all())
        copy.exclude_segments.set(campaign.exclude_segments.all())
        further_senders.write(copy, further_senders.of(campaign))
    return copy


def save(
    campaign: Campaign,
    *,
    values: Mapping[str, Any],
    lists: Mapping[str, Any],
    further: Sequence[further_senders.Serving] | None,
    now: datetime,
) -> None:
    """Write these fields, lists and segments of a draft, and its further senders (None: as they are).

    Raises `WrongState` where it has been launched meanwhile. Conditional, and only the given columns: a step that
    was open for an hour cannot undo a launch.
    """
    with transaction.atomic():
        drafts = Campaign.objects.filter(pk=campaign.pk, state=CampaignState.DRAFT)
        if not drafts.update(**values, updated_at=now):
            raise WrongState(
                "not_a_draft",
                "Not saved: this campaign has been launched, its text and audience are frozen.",
                cure="Duplicate it to change something.",
            )
        for name, chosen in lists.items():
            getattr(campaign, name).set(chosen)
        if further is not None:
            further_senders.write(campaign, further)


def check_fields(body: str) -> None:
    """Raises `Invalid` where the text cannot be read, names a field that no contact has, or changes a link."""
    template = rendering.compile(body)
    template.refuse_what_cannot_be_saved(_attributes_known(template.fields))


def _attributes_known(fields: Collection[str]) -> frozenset[str]:
    """Of the names a text uses (`Template.fields`), those at least one contact has; and those offered."""
    offered = set(people.attributes_in_use())
    asked = {name.removeprefix("attributes.").split(".")[0] for name in fields} - offered
    found = {
        name for name in sorted(asked)[:_MOST_NAMES] if Contact.objects.filter(attributes__has_key=name).exists()
    }
    return frozenset(offered | found)
