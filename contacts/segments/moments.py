"""Conditions on dates, counted in days of 24 hours back or forth from the instant a segment is used."""

from datetime import datetime, timedelta

from django.db.models import Q, Value
from django.db.models.functions import Length
from django.db.models.lookups import Exact, GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual
from django.utils import timezone

from contacts.segments import values
from contacts.segments.kinds import Kind, Operator, Values
from contacts.segments.person import ATTRIBUTE, attribute_of
from contacts.segments.values import Param

DAYS = Param("days", "Days", "number", values.days)


def before(given: Values, at: datetime) -> datetime:
    return at - timedelta(days=given["days"])


def _created_since(given: Values, at: datetime) -> Q:
    return Q(created_at__gt=before(given, at))


def _wrote_since(given: Values, at: datetime) -> Q:
    return Q(last_inbound_at__isnull=False, last_inbound_at__gt=before(given, at))


def _wrote_before(given: Values, at: datetime) -> Q:
    return Q(last_inbound_at__isnull=False, last_inbound_at__lte=before(given, at))


def _day(at: datetime, *, ahead: int) -> Value:
    """A calendar day of the desk's zone, as it is written in an attribute."""
    return Value(
        (timezone.localtime(at, timezone.get_default_timezone()) + timedelta(days=ahead)).date().isoformat()
    )


def _is_day(given: Values) -> Q:
    return Q(Exact(Length(attribute_of(given)), Value(10)))


def _in_next(given: Values, at: datetime) -> Q:
    value, last = attribute_of(given), _day(at, ahead=given["days"])
    return _is_day(given) & Q(GreaterThanOrEqual(value, _day(at, ahead=0))) & Q(LessThanOrEqual(value, last))


def _in_last(given: Values, at: datetime) -> Q:
    value, first = attribute_of(given), _day(at, ahead=-given["days"])
    return _is_day(given) & Q(GreaterThan(value, first)) & Q(LessThanOrEqual(value, _day(at, ahead=0)))


def _long_ago(given: Values, at: datetime) -> Q:
    return _is_day(given) & Q(LessThan(attribute_of(given), _day(at, ahead=-given["days"])))


IN_LAST = "in the last … days"
IN_NEXT = "in the next … days"
MORE_THAN = "more than … days ago"

KINDS = (
    Kind(
        "created",
        "Added to contacts",
        "Dates",
        {
            "in_last": Operator(IN_LAST, _created_since, (DAYS,)),
            "more_than": Operator(MORE_THAN, lambda given, at: ~_created_since(given, at), (DAYS,)),
        },
    ),
    Kind(
        "last_inbound",
        "Last wrote to us",
        "Dates",
        {
            "in_last": Operator(IN_LAST, _wrote_since, (DAYS,)),
            "more_than": Operator(MORE_THAN, _wrote_before, (DAYS,)),
            "never": Operator("never", lambda given, at: Q(last_inbound_at__isnull=True)),
        },
    ),
    Kind(
        "attribute_date",
        "Attribute with a date",
        "Dates",
        {
            "in_next": Operator(IN_NEXT, _in_next, (DAYS,)),
            "in_last": Operator(IN_LAST, _in_last, (DAYS,)),
            "more_than": Operator(MORE_THAN, _long_ago, (DAYS,)),
        },
        (ATTRIBUTE,),
    ),
)
