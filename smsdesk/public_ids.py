"""Opaque ids for the outside world: `con_…`, `msg_…`, `cmp_…`, `cnv_…`. Integers never leave the house."""

import os
import uuid
from datetime import datetime
from typing import ClassVar

from django.db import models

from smsdesk.errors import Invalid

# The first two bits of the 17th digit are 10.
_VARIANT = {f"{digit:x}": f"{digit & 0b0011 | 0b1000:x}" for digit in range(16)}


class PublicIdModel(models.Model):
    """A row the outside world may name; `prefix` says what kind it is."""

    prefix: ClassVar[str]

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)

    class Meta:
        abstract = True

    @property
    def ref(self) -> str:
        return f"{self.prefix}_{self.public_id.hex}"


def fresh(count: int, *, now: datetime) -> list[str]:
    """As many ids in hexadecimal, in one draw: UUIDs of version 7 (RFC 9562), 74 of whose bits are drawn.

    They begin with the time, so those made together lie together in an index, where random ones would touch a page
    each.
    """
    time, drawn = f"{int(now.timestamp() * 1000):012x}", os.urandom(10 * count).hex()
    return [
        f"{time}7{drawn[at + 1 : at + 4]}{_VARIANT[drawn[at + 4]]}{drawn[at + 5 : at + 20]}"
        for at in range(0, len(drawn), 20)
    ]


def parse(ref: str, *, prefix: str, field: str = "id") -> uuid.UUID:
    """The UUID behind `prefix_<32 hex>`; raises `Invalid` for anything else."""
    head, _, tail = ref.partition("_")
    if head == prefix and len(tail) == 32:
        try:
            return uuid.UUID(hex=tail)
        except ValueError:
            pass
    raise Invalid(
        "invalid_id",
        f"This is not an id of the form {prefix}_<32 hex digits>.",
        field=field,
        value=ref[:60],
        cure="Copy it from an earlier answer of the API.",
    )
