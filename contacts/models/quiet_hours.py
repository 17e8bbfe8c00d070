from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

Window = tuple[int, int]  # seconds after local midnight: [open, close)
Week = tuple[Window | None, ...]  # seven, Monday first; None: closed


def read_windows(windows: object) -> Week:
    """The week behind `{"Mon": ["08:00", "21:00"], …}`; raises `ValidationError` naming the day at fault."""
    if not isinstance(windows, Mapping):
        raise ValidationError('Give an object such as {"Mon": ["08:00", "21:00"]}; {} means never.')
    if unknown := [str(day) for day in windows if day not in WEEKDAYS]:
        raise ValidationError(f"{unknown[0][:20]!r} is not a day; use {', '.join(WEEKDAYS)}.")
    return tuple(_window(day, windows[day]) if day in windows else None for day in WEEKDAYS)


def _window(day: str, pair: Any) -> Window:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise ValidationError(f'{day}: give an opening and a closing time, such as ["08:00", "21:00"].')
    opens, closes = (_seconds(day, text) for text in pair)
    if opens >= closes:
        raise ValidationError(
            f"{day}: {pair[0]} is not before {pair[1]}. A window may not cross midnight; give each day its own."
        )
    return opens, closes


def _seconds(day: str, text: object) -> int:
    match text.split(":") if isinstance(text, str) and len(text) == 5 and text.isascii() else []:
        case [hours, minutes] if hours.isdigit() and minutes.isdigit():
            seconds = int(hours) * 3600 + int(minutes) * 60
            if int(minutes) < 60 and seconds <= 86_400:
                return seconds
    raise ValidationError(f"{day}: {str(text)[:20]!r} is not a time of day; write it as 08:00.")


class QuietHoursRule(models.Model):
    """Local hours in which marketing may be sent in a country or state: half-open windows per weekday.

    Seeded from `contacts/data/quiet_hours.csv`; every row may be edited, and each edit is a new `version`.
    """

    code = models.CharField(max_length=20, unique=True)  # "*", "US", "US-TX", "FR-af2m2026"
    windows = models.JSONField(
        blank=True, help_text='{"Mon": ["08:00", "21:00"], …}: a missing day is closed, {} means never.'
    )
    closed_on_holidays = models.BooleanField(default=False)
    daily_most = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Most marketing messages to one person in 24 hours, where the law of the place limits them.",
    )
    replaces = models.CharField(
        max_length=2,
        blank=True,
        default="",
        db_default="",
        help_text="A profile: while it is active, it stands for every row of this country and of its states.",
    )
    is_active = models.BooleanField(default=True)
    kind = models.CharField(max_length=10, blank=True)
    source = models.CharField(max_length=300, blank=True)
    confidence = models.CharField(max_length=10, blank=True)
    note = models.TextField(blank=True)
    verified_on = models.DateField(null=True, blank=True)
    edited_by = models.CharField(max_length=150, blank=True)
    edited_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "quiet hours rule"
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(
                fields=["replaces"],
                condition=Q(is_active=True) & ~Q(replaces=""),
                name="one_active_profile_per_country",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def week_in_words(self) -> str:
        """Days of the same hours together: Mon–Fri 09:00–20:00, Sat 09:00–17:00."""
        spans: list[tuple[str, str, str]] = []  # first day, last day, hours
        for before, day in zip((None, *WEEKDAYS), WEEKDAYS, strict=False):
            hours = "–".join(self.windows[day]) if day in self.windows else ""
            if spans and hours and (spans[-1][1], spans[-1][2]) == (before, hours):
                spans[-1] = (spans[-1][0], day, hours)
            elif hours:
                spans.append((day, day, hours))
        days = [(first if first == last else f"{first}–{last}", hours) for first, last, hours in spans]
        return ", ".join(f"{span} {hours}" for span, hours in days) or "Never"

    def clean(self) -> None:
        try:
            read_windows(self.windows)
        except ValidationError as error:
            raise ValidationError({"windows": error.messages}) from error


class ClosedDay(models.Model):
    """A day on which nothing may be sent there, besides public holidays: declared emergencies, days of mourning."""

    code = models.CharField(max_length=20, help_text="Whose day: a rule such as US-LA or FR; * is everywhere.")
    day = models.DateField()
    reason = models.CharField(max_length=300)
    added_by = models.CharField(max_length=150, blank=True, editable=False)

    class Meta:
        ordering = ["-day", "code"]
        constraints = [models.UniqueConstraint(fields=["code", "day"], name="each_day_closed_once")]

    def __str__(self) -> str:
        return f"{self.code} {self.day}"
