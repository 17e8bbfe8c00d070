"""Finding people by what somebody types; every way has an index, so that a million cost no more than a thousand."""

from django.db import connection
from django.db.models import Q

from contacts.models import Brand
from smsdesk import phones
from smsdesk.errors import DomainError

FEWEST_DIGITS = 4  # of the beginning of a number
_WHOLE_NUMBER = 7

# From one country to the next by the index: `DISTINCT` would read every row.
_COUNTRIES = """
WITH RECURSIVE found(code) AS (
    SELECT min(country) FROM contacts_contact
    UNION ALL
    SELECT (SELECT min(country) FROM contacts_contact WHERE country > code) FROM found WHERE code IS NOT NULL
)
SELECT code FROM found WHERE code IS NOT NULL
"""


def matching(term: str) -> Q:
    """Whose name begins with `term`, who has it as external id, or whose number it is in any notation."""
    matches = Q(name__istartswith=term) | Q(external_id=term)
    if len(_digits(term)) >= _WHOLE_NUMBER:
        matches |= Q(subscriber_key__in=_keys_of(term))
    return matches


def by_beginning_of_number(term: str) -> Q | None:
    """For people who may see numbers: `+` and the first digits; None where `term` is something else."""
    digits = _digits(term)
    return Q(phone__istartswith=f"+{digits}") if term.startswith("+") and len(digits) >= FEWEST_DIGITS else None


def countries() -> list[str]:
    """Of all numbers there are, sorted; "" for those whose country is not known."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTRIES)
        return [code for (code,) in cursor.fetchall()]


def _digits(term: str) -> str:
    return "".join(character for character in term if character.isdigit())


def _keys_of(term: str) -> list[str]:
    """Subscriber keys the term may mean: with its own country code, else in the country of each brand."""
    keys = []
    for country in {"", *Brand.objects.values_list("default_country", flat=True)}:
        try:
            keys.append(phones.parse(term, default_region=country).subscriber_key)
        except DomainError:
            continue
    return keys
