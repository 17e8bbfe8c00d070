"""Serializer fields that take what they say and nothing else, and the base that refuses unknown names."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from smsdesk import public_ids
from smsdesk.errors import Invalid


class StrictSerializer(serializers.Serializer[Any]):
    """An unknown or read-only name in the body is an error, so a typing mistake is never silently dropped."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = [str(field.field_name) for field in self._writable_fields]
            unknown = [name for name in data if name not in known]
            if unknown:
                listed = f"Known are {', '.join(known)}." if known else "Send an empty object."
                detail = ErrorDetail(f"There is no field of this name to write. {listed}", code="unknown_field")
                raise serializers.ValidationError({name: [detail] for name in unknown})
        return super().to_internal_value(data)


class Empty(StrictSerializer):
    """The body of a POST that has nothing to say."""


class Text(serializers.CharField):
    """A JSON string; numbers are not turned into text."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Moment(serializers.DateTimeField):
    """An RFC 3339 time with its offset, from 1970 to 2200; answered in UTC."""

    default_error_messages = {
        "moment": "Write a time as 2026-11-23T18:00:00Z, with its offset, between 1970 and 2200.",
    }

    def __init__(self, **options: Any) -> None:
        super().__init__(default_timezone=UTC, **options)

    def to_internal_value(self, value: Any) -> datetime:
        moment = read_moment(value) if isinstance(value, str) else None
        if moment is None:
            self.fail("moment")
        return moment


def read_moment(text: str) -> datetime | None:
    """The time an RFC 3339 text names, in UTC; None when it is not one, has no offset or lies out of range."""
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    if moment is None or moment.tzinfo is None or not 1970 < moment.year < 2200:
        return None
    return moment.astimezone(UTC)


@extend_schema_field({"type": "string"})
class Ref(serializers.Field[Any, Any, Any, Any]):
    """A public id (`con_…`) of another row: read into its UUID, written from the row."""

    def __init__(self, *, prefix: str, **options: Any) -> None:
        super().__init__(**options)
        self.prefix = prefix

    def to_internal_value(self, data: Any) -> Any:
        try:
            return public_ids.parse(data if isinstance(data, str) else "", prefix=self.prefix)
        except Invalid as error:
            raise serializers.ValidationError(error.sentence(), code=error.code) from None

    def to_representation(self, value: Any) -> str:
        return f"{self.prefix}_{getattr(value, 'public_id', value).hex}"
