"""Which sender a request means, and what a test key may use."""

from django.db.models import QuerySet

from campaigns import sender_choice
from campaigns.models import Campaign, Sender
from contacts.api.brands import brand_of
from contacts.models import Brand
from smsdesk.api.problems import Problem
from smsdesk.errors import Invalid
from smsdesk.models import ApiKey


def choose(value: str | None, *, brand: str | None, key: ApiKey) -> Sender:
    """The sender of this value, or the default one of the brand (a slug); for a test key one of a simulator."""
    rows = Sender.objects.select_related("brand", "account").order_by("-is_default", "pk")
    if brand is not None:
        rows = rows.filter(brand=brand_of(brand))
    rows = rows.filter(value=value) if value is not None else _defaults(rows, brand=brand)
    found = list(rows)
    if not found:
        raise _unknown(
            "There is no such sender." if value is not None else "There is no default sender.",
            field="sender",
            value=value or "",
        )
    return _allowed(found, key=key)


def choose_further(value: str, *, brand: Brand | None, key: ApiKey) -> Sender:
    """The further sender of this value: of the campaign's brand where there is one, else another brand's."""
    found = list(Sender.objects.select_related("brand", "account").filter(value=value).order_by("pk"))
    if not found:
        raise _unknown("There is no such sender.", field="further_senders", value=value)
    return _allowed([one for one in found if brand is None or one.brand_id == brand.pk] or found, key=key)


def _unknown(message: str, *, field: str, value: str) -> Invalid:
    return Invalid("unknown_sender", message, field=field, value=value, cure="Name one of the desk's senders.")


def refuse_real_senders(campaign: Campaign, *, key: ApiKey) -> None:
    for reach in sender_choice.reaches(campaign):
        refuse_real(reach.sender, key=key)


def refuse_real(sender: Sender | None, *, key: ApiKey) -> None:
    """A test key reaches simulators only, never a provider."""
    if key.is_test and (sender is None or not sender.account.is_simulator):
        raise Problem(
            403,
            "no_simulator",
            "A test key sends through simulator accounts only. Name a sender of one, or use a live key.",
        )


def _defaults(rows: QuerySet[Sender], *, brand: str | None) -> QuerySet[Sender]:
    if brand is None and Brand.objects.count() > 1:
        raise Invalid(
            "missing", "There are several brands.", field="brand", cure="Say which one speaks, or name a sender."
        )
    return rows.filter(is_default=True) if rows.count() > 1 else rows


def _allowed(found: list[Sender], *, key: ApiKey) -> Sender:
    if not key.is_test:
        return found[0]
    simulated = [sender for sender in found if sender.account.is_simulator]
    refuse_real((simulated or found)[0], key=key)
    return simulated[0]
