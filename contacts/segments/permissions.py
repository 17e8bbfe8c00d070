"""Conditions on consent, opt-outs and holds: what the copies of the ledger say at the instant of use.

A segment narrows an audience and never widens what may be sent: everybody is judged again when a message leaves.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q

from contacts import lapsing
from contacts.models import Brand, ConsentState, Hold, Purpose, Suppression
from contacts.segments import values
from contacts.segments.kinds import Kind, Operator, Values
from contacts.segments.moments import DAYS, IN_NEXT
from contacts.segments.values import Param

_PURPOSES = {
    one.value: str(one.label) for one in (Purpose.MARKETING, Purpose.TRANSACTIONAL, Purpose.CONVERSATIONAL)
}


def _brand_options() -> list[tuple[str, str]]:
    return [(str(pk), name) for pk, name in Brand.objects.order_by("name").values_list("pk", "name")]


def _slug(key: Any) -> Any:
    return Brand.objects.filter(pk=key).values_list("slug", flat=True).first() or ""


def _brand_key(slug: Any, field: str) -> Any:
    known = dict(Brand.objects.order_by("slug").values_list("slug", "pk"))
    if not isinstance(slug, str) or slug not in known:
        cure = f"Known: {', '.join(list(known)[:10])}."
        raise values.refuse("unknown_brand", "There is no such brand.", field=field, value=slug, cure=cure)
    return known[slug]


BRAND = Param(
    "brand",
    "Brand",
    "choice",
    values.row_id,
    options=_brand_options,
    outward=_slug,
    inward=_brand_key,
    what="slug of a brand",
)
PURPOSE = Param("purpose", "Purpose", "choice", values.choice(_PURPOSES), options=lambda: list(_PURPOSES.items()))


def _agreed(given: Values, at: datetime) -> Q:
    states = ConsentState.objects.filter(
        subscriber_key=OuterRef("subscriber_key"),
        brand_id=given["brand"],
        purpose=given["purpose"],
        is_active=True,
    )
    return Q(Exists(states.filter(~lapsing.is_over(at))))


def _runs_out(given: Values, at: datetime) -> Q:
    return _agreed(given, at) & ~_agreed(given, at + timedelta(days=given["days"]))


def _opted_out(given: Values, at: datetime) -> Q:
    standing = Suppression.objects.filter(subscriber_key=OuterRef("subscriber_key"), lifted_by=None)
    covering = standing.filter(Q(brand=None) | Q(brand_id=given["brand"]), purpose__in=("*", given["purpose"]))
    return Q(Exists(covering))


def _held(given: Values, at: datetime) -> Q:
    return Q(Exists(Hold.objects.filter(subscriber_key=OuterRef("subscriber_key"), closed_at=None)))


KINDS = (
    Kind(
        "consent",
        "Consent",
        "Consent",
        {
            "has": Operator("is given", _agreed),
            "has_not": Operator("is not given", lambda given, at: ~_agreed(given, at)),
            "ends_in_next": Operator(f"runs out {IN_NEXT}", _runs_out, (DAYS,)),
        },
        (PURPOSE, BRAND),
    ),
    Kind(
        "opted_out",
        "Opt-out",
        "Consent",
        {
            "is": Operator("stands", _opted_out),
            "is_not": Operator("does not stand", lambda given, at: ~_opted_out(given, at)),
        },
        (PURPOSE, BRAND),
    ),
    Kind(
        "held",
        "Held for review",
        "Consent",
        {
            "is": Operator("yes", _held),
            "is_not": Operator("no", lambda given, at: ~_held(given, at)),
        },
    ),
)
