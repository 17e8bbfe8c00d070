"""Opaque ids for the outside world: `con_…`, `msg_…`, `cmp_…`, `cnv_…`. Integers never leave the house."""

import os
import uuid
from typing import ClassVar

from django.db import models

from smsdesk.errors import Invalid

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


def fresh(count: int) -> list[str]:
    """As many `uuid4().hex`, in one draw."""
    drawn = os.urandom(16 * count).hex()
    # RFC 9562: the 13th digit is the version, 4; the first two bits of the 17th are 10.
    return [
        f"{drawn[at : at + 12]}4{drawn[at + 13 : at + 16]}{_VARIANT[drawn[at + 16]]}{drawn[at + 17 : at + 32]}"
        for at in range(0, len(drawn), 32)
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
