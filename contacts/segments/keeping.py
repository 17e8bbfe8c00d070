"""Making and changing segments: a rule is stored only when it can be read."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction

from contacts.models import Segment
from contacts.segments import rules
from smsdesk import sms_text
from smsdesk.errors import Conflict, Invalid

LONGEST_NAME = 100
LONGEST_DESCRIPTION = 300


def add(*, name: str, rule: Any, description: str = "", by: AbstractBaseUser | None) -> Segment:
    """A new segment; raises `Conflict` where the name is taken, `Invalid` for a rule that cannot be read."""
    segment = Segment(created_by_id=by.pk if by else None)
    return _write(segment, {"name": name, "description": description, "rule": rule})


def change(segment: Segment, *, values: Mapping[str, Any]) -> Segment:
    """Set name, description or rule; what is not given stays. A launched campaign keeps the rule it had."""
    with transaction.atomic():
        current = Segment.objects.select_for_update(no_key=True).get(pk=segment.pk)
        return _write(current, values)


def _write(segment: Segment, values: Mapping[str, Any]) -> Segment:
    if "name" in values:
        segment.name = _line("name", values["name"], most=LONGEST_NAME)
        if not segment.name:
            raise Invalid("missing", "A segment needs a name.", field="name", cure="Say who these people are.")
    if "description" in values:
        segment.description = _line("description", values["description"], most=LONGEST_DESCRIPTION)
    if "rule" in values:
        segment.rule = rules.stored(rules.parse(values["rule"]))
        rules.refuse_missing(segment.rule)
    try:
        with transaction.atomic():
            segment.save()
            segment.lists.set(rules.lists_of(segment.rule))
            segment.tags.set(rules.tags_of(segment.rule))
    except IntegrityError as error:
        taken = Segment.objects.filter(name=segment.name).exclude(pk=segment.pk).exists()
        if not taken:
            raise
        raise Conflict(
            "name_taken",
            "There is a segment of this name already.",
            field="name",
            value=segment.name,
            cure="Use another name, or change that one.",
        ) from error
    return segment


def _line(field: str, value: str, *, most: int) -> str:
    text = " ".join(sms_text.clean(value).split())
    if len(text) > most:
        cure = f"Use at most {most} characters."
        raise Invalid("too_long", "This is too long.", field=field, value=text[:60], cure=cure)
    return text
