"""Which kinds of consent are strong enough for a purpose in a country (reference: consent rules by jurisdiction).

`express_written` serves wherever `express` does; `unproven` and `conversational` never carry another purpose.
"""

import calendar
from datetime import UTC, date, datetime, time

from contacts.models import Basis, Purpose

UNITED_STATES = frozenset({"US", "PR", "AS", "GU", "MP", "VI"})  # the statute covers the territories
UNITED_KINGDOM = frozenset({"GB", "GG", "IM", "JE"})
EUROPEAN_UNION = frozenset(
    {"AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"}
    | {"IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"}
)

_EXPRESS = frozenset({Basis.EXPRESS.value, Basis.EXPRESS_WRITTEN.value})
_SOFT = _EXPRESS | {Basis.SOFT_OPT_IN.value}
_MARKETING = {
    **dict.fromkeys(UNITED_STATES, frozenset({Basis.EXPRESS_WRITTEN.value})),
    **dict.fromkeys(UNITED_KINGDOM | EUROPEAN_UNION, _SOFT),
    "CA": _EXPRESS | {Basis.IMPLIED_PURCHASE.value, Basis.IMPLIED_INQUIRY.value},
    "AU": _EXPRESS | {Basis.INFERRED.value},
}
_TRANSACTIONAL_ELSEWHERE = _SOFT | {Basis.IMPLIED_PURCHASE.value, Basis.INFERRED.value}
_NONE: frozenset[str] = frozenset()

# Implied consent ages: calendar months from the act it rests on.
LIFE_IN_MONTHS = {Basis.IMPLIED_PURCHASE.value: 24, Basis.IMPLIED_INQUIRY.value: 6}

# What a stronger statement of the same person replaces; used when a weaker one arrives later.
_RANK = {
    basis.value: rank
    for rank, basis in enumerate(
        (
            Basis.UNPROVEN,
            Basis.CONVERSATIONAL,
            Basis.INFERRED,
            Basis.IMPLIED_INQUIRY,
            Basis.IMPLIED_PURCHASE,
            Basis.SOFT_OPT_IN,
            Basis.EXPRESS,
            Basis.EXPRESS_WRITTEN,
        )
    )
}


def strong_enough(purpose: str, region: str) -> frozenset[str]:
    """The bases that carry `purpose` to numbers of `region` (ISO country)."""
    if purpose == Purpose.MARKETING:
        return _MARKETING.get(region, _EXPRESS)
    if purpose == Purpose.TRANSACTIONAL:
        return _EXPRESS if region in UNITED_STATES else _TRANSACTIONAL_ELSEWHERE
    return _NONE


def rank(basis: str) -> int:
    return _RANK.get(basis, -1)


def ends_at(basis: str, given_at: datetime) -> datetime | None:
    """The instant from which consent of this basis is over; None for one without age."""
    months = LIFE_IN_MONTHS.get(basis)
    return None if months is None else _months_later(given_at, months)


def _months_later(start: datetime, months: int) -> datetime:
    """Calendar months, not days; the 31st of a shorter month is its last day."""
    years, month = divmod(start.month - 1 + months, 12)
    year = start.year + years
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return start.replace(year=year, month=month + 1, day=day)


def spans_run_out(basis: str, at: datetime) -> list[tuple[datetime | None, datetime]]:
    """When consent of this basis must have been given (first and last instant) to be over at `at`.

    The inverse of `ends_at`, for queries. Usually one span without beginning; on the last day of a short month
    there is one more for each day that the longer month of the giving had after it.
    """
    months = LIFE_IN_MONTHS.get(basis)
    if months is None:
        return []
    at = at.astimezone(UTC)
    year, month = divmod(at.year * 12 + at.month - 1 - months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    if at.day > last:
        return [(None, datetime.combine(date(year, month + 1, last), time.max, UTC))]
    spans: list[tuple[datetime | None, datetime]] = [(None, at.replace(year=year, month=month + 1))]
    if at.day == calendar.monthrange(at.year, at.month)[1]:
        for day in range(at.day + 1, last + 1):
            until = at.replace(year=year, month=month + 1, day=day)
            spans.append((datetime.combine(until.date(), time.min, UTC), until))
    return spans
