"""How conditions are joined so that a database answers for a million people at once.

PostgreSQL makes one join of an EXISTS that stands with AND, whichever way it is negated. Under OR it asks it anew
for each person, ten times slower. So "any of these" is asked as "it is not so that none of these", over the same
table; only where no condition looks into another table does OR stay.
"""

from collections.abc import Sequence
from functools import reduce
from operator import and_, or_

from django.db.models import Exists, OuterRef, Q

from contacts.models import Contact


def all_of(parts: Sequence[Q]) -> Q:
    return reduce(and_, parts)


def any_of(parts: Sequence[Q]) -> Q:
    """Conditions on `Contact` that are never NULL, at least one; so is the answer."""
    if len(parts) == 1 or not any(map(_looks_elsewhere, parts)):
        return reduce(or_, parts)
    return ~_the_same_person(none_of(parts))


def none_of(parts: Sequence[Q]) -> Q:
    return reduce(and_, map(_not, parts))


def _not(part: Q) -> Q:
    """NOT (a AND b) is an OR; as one EXISTS that is negated it can be joined."""
    is_compound = len(part.children) > 1 and not part.negated
    return ~_the_same_person(part) if is_compound and _looks_elsewhere(part) else ~part


def _the_same_person(part: Q) -> Q:
    return Q(Exists(Contact.objects.filter(part, pk=OuterRef("pk"))))


def _looks_elsewhere(part: Q) -> bool:
    return any(
        _looks_elsewhere(child) if isinstance(child, Q) else isinstance(child, Exists) for child in part.children
    )
