"""Further senders of a draft: what may be named, in the wizard, over the API and at launch, and how it is kept."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from campaigns import sender_choice
from campaigns.models import Campaign, CampaignSender, Sender
from contacts.models import Brand
from smsdesk import phones
from smsdesk.errors import Invalid

MOST = 50  # of one campaign
FIELD = "further_senders"
# What people write for a country whose code is another.
_MEANT = {"UK": "GB", "EN": "GB", "EL": "GR", "SF": "FI", "YU": "RS"}
_EXAMPLE = "Two-letter codes of ISO 3166, for example GB, US, CA."


@dataclass(frozen=True, slots=True)
class Serving:
    """A further sender and the countries it serves, as `countries` gives them."""

    sender: Sender
    countries: Sequence[str]


def of(campaign: Campaign) -> list[Serving]:
    return [Serving(row.sender, row.countries) for row in sender_choice.further(campaign)]


def countries(given: Collection[str]) -> list[str]:
    """The codes in upper case, each once, in order; raises `Invalid` for what is no country, and for none."""
    found = set()
    for one in given:
        code = one.strip().upper()
        if not phones.is_country(code):
            meant = f"Write {_MEANT[code]}." if code in _MEANT else _EXAMPLE
            raise Invalid("unknown_country", "This is no country.", field=FIELD, value=one.strip()[:40], cure=meant)
        found.add(code)
    if not found:
        raise Invalid("no_country", "A further sender serves at least one country.", field=FIELD, cure=_EXAMPLE)
    return sorted(found)


def wrong(servings: Sequence[Serving], *, brand: Brand | None) -> Iterator[tuple[int, Invalid]]:
    """What is wrong with them beside each other and beside the brand that speaks, and in which place."""
    if len(servings) > MOST:
        cure = f"Name at most {MOST}."
        yield MOST, Invalid("too_many_senders", "These are too many senders.", field=FIELD, cure=cure)
    named: set[int] = set()
    for place, sender in enumerate(serving.sender for serving in servings):
        if sender.pk in named:
            cure = "Put all its countries into one row."
            yield place, _refused("sender_twice", "This sender is named twice.", sender.value, cure)
        named.add(sender.pk)
        if brand is not None and sender.brand_id != brand.pk:
            cure = f"Choose a sender of {brand}."
            yield (
                place,
                _refused("sender_of_other_brand", "This sender belongs to another brand.", sender.value, cure),
            )


def problems(campaign: Campaign) -> list[Invalid]:
    """What keeps a campaign with these further senders from being launched."""
    servings = of(campaign)
    found = [error for _, error in wrong(servings, brand=campaign.brand)]
    for serving in servings:
        try:
            countries(serving.countries)
        except Invalid as error:
            found.append(_refused(error.code, f"{serving.sender}: {error.message}", error.value, error.cure))
    return found


def write(campaign: Campaign, servings: Sequence[Serving]) -> None:
    """In place of those it has. The caller holds the campaign's row, which is a draft, in its transaction."""
    CampaignSender.objects.filter(campaign=campaign).delete()
    CampaignSender.objects.bulk_create(
        [CampaignSender(campaign=campaign, sender=one.sender, countries=[*one.countries]) for one in servings]
    )


def _refused(code: str, message: str, value: str, cure: str) -> Invalid:
    return Invalid(code, message, field=FIELD, value=value, cure=cure)
