"""A draft campaign over the API: what may be given, and one conditional write."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from rest_framework import serializers

from campaigns import drafting, further_senders
from campaigns.api.messages import PURPOSES
from campaigns.api.senders import choose, choose_further
from campaigns.further_senders import Serving
from campaigns.models import Campaign, Restricted
from contacts.api.brands import brand_of
from contacts.models import Brand, ContactList, Segment, WhenCapped
from smsdesk import public_ids, sms_text
from smsdesk.api.fields import Moment, StrictSerializer, Text
from smsdesk.api.problems import Problem
from smsdesk.errors import Invalid
from smsdesk.models import ApiKey


class FurtherSenderIn(StrictSerializer):
    """A sender and the countries whose people it serves."""

    sender = Text(max_length=16, help_text="Number or name, of the campaign's brand; each once.")
    countries = serializers.ListField(
        child=Text(max_length=40),
        min_length=1,
        max_length=300,
        help_text="Two-letter codes of ISO 3166: the countries of the people's numbers.",
    )


class CampaignIn(StrictSerializer):
    name = Text(max_length=120)
    brand = Text(required=False, max_length=40, help_text="Slug: who speaks.")
    sender = Text(
        required=False,
        max_length=16,
        help_text="Number or name it is sent from, wherever none of `further_senders` serves the country.",
    )
    further_senders = serializers.ListField(
        child=FurtherSenderIn(),
        required=False,
        max_length=further_senders.MOST,
        help_text="Senders for people of certain countries. Those that name the same country share its people by "
        "their rates, and whoever was texted from one of them stays with it; `sender` shares them too where it is "
        "named here. Replaces those there are; [] removes them.",
    )
    purpose = serializers.ChoiceField(choices=PURPOSES, required=False)
    body = Text(required=False, allow_blank=True, max_length=1600, help_text="Liquid: Hi {{ first_name }}")
    include = serializers.ListField(child=Text(), required=False, max_length=100, help_text="Names of lists.")
    exclude = serializers.ListField(child=Text(), required=False, max_length=100, help_text="Names of lists.")
    include_segments = serializers.ListField(
        child=Text(), required=False, max_length=100, help_text="Ids of segments (`seg_…`)."
    )
    exclude_segments = serializers.ListField(
        child=Text(), required=False, max_length=100, help_text="Ids of segments (`seg_…`)."
    )
    send_at = Moment(required=False, allow_null=True, help_text="null: at once when launched.")
    latest_start = Moment(required=False, allow_null=True, help_text="Later than this it does not begin by itself.")
    send_by = Moment(required=False, allow_null=True, help_text="From then on nothing leaves.")
    when_capped = serializers.ChoiceField(
        choices=["", *WhenCapped.values],
        required=False,
        help_text="wait, skip, or empty: as each cap says.",
    )
    budget = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=2_147_483_647,
        help_text="Parts it may use in all; before it would use more it pauses itself. null: no budget.",
    )
    restricted = serializers.ChoiceField(
        choices=["", *Restricted.values], required=False, help_text="Restricted content; needs a minimum age."
    )
    min_age = serializers.IntegerField(required=False, allow_null=True, min_value=13, max_value=99)


def create(given: dict[str, Any], *, key: ApiKey, by: AbstractBaseUser) -> Campaign:
    values, lists = _values(given, key=key)
    further = _further(given, brand=values.get("brand"), key=key)
    with transaction.atomic():
        campaign = Campaign.objects.create(**values, created_by_id=by.pk)
        for name, chosen in lists.items():
            getattr(campaign, name).set(chosen)
        further_senders.write(campaign, further or [])
    return campaign


def change(campaign: Campaign, given: dict[str, Any], *, key: ApiKey, seen: str | None, now: datetime) -> Campaign:
    """Write what is given, while it is a draft and, with `seen`, still the one the caller has read."""
    values, lists = _values(given, key=key)
    with transaction.atomic():
        current = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        if seen is not None and seen not in ("*", etag(current)):
            raise Problem(412, "changed_meanwhile", "Somebody has changed this campaign. Read it again.")
        further = _further(given, brand=values.get("brand", current.brand), key=key)
        drafting.save(current, values=values, lists=lists, further=further, now=now)
        current.refresh_from_db()
    return current


def etag(campaign: Campaign) -> str:
    return f'"{campaign.updated_at.timestamp():.6f}-{campaign.state}"'


def _values(given: dict[str, Any], *, key: ApiKey) -> tuple[dict[str, Any], dict[str, Sequence[Any]]]:
    values = {name: value for name, value in given.items() if name not in _OF_ROWS}
    lists = {name: find(given[name], field=name) for name, find in _CHOSEN.items() if name in given}
    if "brand" in given:
        values["brand"] = brand_of(given["brand"])
    if "sender" in given:
        values["sender"] = choose(given["sender"], brand=given.get("brand"), key=key)
        values.setdefault("brand", values["sender"].brand)
    if "body" in given:
        values["body"] = sms_text.clean(given["body"]).strip()
        if values["body"]:
            drafting.check_fields(values["body"])
    return values, lists


def _lists(names: Sequence[str], *, field: str) -> list[ContactList]:
    found = {one.name: one for one in ContactList.objects.filter(name__in=names)}
    for name in names:
        if name not in found:
            raise Invalid(
                "unknown_list",
                "There is no list of this name.",
                field=field,
                value=name[:60],
                cure="Make it in the desk or by an import first.",
            )
    return list(found.values())


def _segments(refs: Sequence[str], *, field: str) -> list[Segment]:
    asked = {public_ids.parse(ref, prefix=Segment.prefix, field=field): ref for ref in refs}
    found = {one.public_id: one for one in Segment.objects.filter(public_id__in=list(asked))}
    for public_id, ref in asked.items():
        if public_id not in found:
            cure = "List them at /segments/."
            raise Invalid("unknown_segment", "There is no segment of this id.", field=field, value=ref, cure=cure)
    return list(found.values())


def _further(given: dict[str, Any], *, brand: Brand | None, key: ApiKey) -> list[Serving] | None:
    """The further senders given; None where none are, [] for an empty list."""
    if further_senders.FIELD not in given:
        return None
    servings = [
        Serving(
            choose_further(one["sender"], brand=brand, key=key),
            further_senders.countries(one["countries"]),
        )
        for one in given[further_senders.FIELD]
    ]
    for _, error in further_senders.wrong(servings, brand=brand):
        raise error
    return servings


# Fields that name rows to be chosen, and how they are found.
_CHOSEN: dict[str, Callable[..., Sequence[Any]]] = {
    "include": _lists,
    "exclude": _lists,
    "include_segments": _segments,
    "exclude_segments": _segments,
}
_OF_ROWS = {"brand", "sender", further_senders.FIELD, *_CHOSEN}
