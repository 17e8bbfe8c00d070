"""The first step of the campaign wizard: who speaks and from which senders, why, and to whom."""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, cast

from django import forms
from django.db.models import QuerySet

from campaigns import audience, further_senders
from campaigns.forms import PURPOSES, SenderField, sentence
from campaigns.further_senders import Serving
from campaigns.models import Campaign, Sender
from contacts.models import Brand, Purpose
from smsdesk.errors import Invalid

EMPTY_ROWS = 2  # offered below those that are filled in
PREFIX = "further"
_BETWEEN = re.compile(r"[\s,;]+")


def _senders() -> "QuerySet[Sender]":
    return Sender.objects.select_related("brand").order_by("brand__name", "value")


class FurtherSenderForm(forms.Form):
    """One row: a sender and its countries; an empty one says nothing."""

    sender = SenderField(queryset=Sender.objects.none(), required=False, empty_label="none")
    countries = forms.CharField(
        required=False, max_length=2_000, widget=forms.TextInput(attrs={"placeholder": "US, CA"})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["sender"].queryset = _senders()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        sender, given = cleaned.get("sender"), [one for one in _BETWEEN.split(cleaned.get("countries", "")) if one]
        if sender is None:
            if given and "sender" not in self.errors:
                self.add_error("sender", "Choose the sender for these countries, or empty the row.")
        elif "countries" not in self.errors:
            try:
                cleaned["serving"] = Serving(sender, further_senders.countries(given))
            except Invalid as error:
                self.add_error("countries", sentence(error))
        return cleaned


class FurtherSenderRows(forms.BaseFormSet[FurtherSenderForm]):
    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return {**super().get_form_kwargs(index), "empty_permitted": True, "use_required_attribute": False}

    def refuse_wrong(self, *, brand: Brand | None) -> None:
        """What is wrong with the rows beside each other, said in the row."""
        filled = self._filled()
        for place, error in further_senders.wrong(self.servings(), brand=brand):
            filled[place].add_error("sender", sentence(error))

    def servings(self) -> list[Serving]:
        return [row.cleaned_data["serving"] for row in self._filled()]

    def _filled(self) -> list[FurtherSenderForm]:
        return [row for row in self.forms if "serving" in getattr(row, "cleaned_data", {})]

    def faults(self) -> Iterator[str]:
        """Each with the number of its row."""
        yield from map(str, self.non_form_errors())
        for number, row in enumerate(self.forms, start=1):
            for errors in row.errors.values():
                yield from (f"Row {number}: {error}" for error in errors)


_Rows = cast(
    type[FurtherSenderRows],
    forms.formset_factory(
        FurtherSenderForm,
        formset=FurtherSenderRows,
        extra=EMPTY_ROWS,
        max_num=further_senders.MOST,
        absolute_max=2 * further_senders.MOST,
    ),
)


class AudienceForm(forms.ModelForm[Campaign]):
    """Who speaks, from where, why, and to whom."""

    purpose = forms.ChoiceField(
        choices=PURPOSES,
        widget=forms.RadioSelect,
        initial=Purpose.MARKETING,
        help_text="Marketing needs consent to marketing; transactional is about something people asked for.",
    )
    sender = SenderField(queryset=_senders())

    class Meta:
        model = Campaign
        fields = [
            *("name", "brand", "sender", "purpose"),
            *("include", "include_segments", "exclude", "exclude_segments"),
        ]
        labels = {
            "include": "Send to lists",
            "include_segments": "Send to segments",
            "exclude": "Don't send to lists",
            "exclude_segments": "Don't send to segments",
        }
        widgets = dict.fromkeys(labels, forms.CheckboxSelectMultiple)
        help_texts = {
            "include": "People in more than one list or segment get one message.",
            "include_segments": "Whoever fits a segment when the campaign begins belongs to it.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("brand", "sender"):
            self.fields[name].required = True
        stored = further_senders.of(self.instance)
        # A page from before there were further senders says nothing of them: they stay.
        is_given = self.is_bound and f"{PREFIX}-TOTAL_FORMS" in self.data
        self.further = _Rows(
            self.data if is_given else None,
            initial=[{"sender": one.sender.pk, "countries": ", ".join(one.countries)} for one in stored],
            prefix=PREFIX,
        )
        self._stored = stored

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        brand, sender = cleaned.get("brand"), cleaned.get("sender")
        if brand and sender and sender.brand_id != brand.pk:
            own = ", ".join(Sender.objects.filter(brand=brand).values_list("value", flat=True)[:10])
            self.add_error(
                "sender",
                f"{sender} belongs to another brand. "
                + (f"Senders of {brand}: {own}." if own else f"{brand} has no sender yet: add one under Senders."),
            )
        included, excluded = (
            {one for name in names for one in cleaned.get(name) or []}
            for names in (audience.INCLUDED, audience.EXCLUDED)
        )
        if not included and "include" not in self.errors:
            self.add_error("include", "Choose at least one list or segment.")
        if included and included <= excluded:
            self.add_error("exclude", "Everything chosen is also excluded, so nobody is left. Take one out here.")
        cleaned["further_senders"] = self._servings(brand) if self.further.is_bound else None
        return cleaned

    def _servings(self, brand: Brand | None) -> list[Serving]:
        self.further.full_clean()
        self.further.refuse_wrong(brand=brand)
        for fault in self.further.faults():
            self.add_error(None, f"Further senders: {fault}")
        return self.further.servings()

    @cached_property
    def changed_data(self) -> list[str]:
        """With the further senders, for the log."""
        given = self.cleaned_data.get("further_senders")
        is_changed = given is not None and sorted(map(_told, given)) != sorted(map(_told, self._stored))
        return [*super().changed_data, *(["further senders"] if is_changed else [])]


def _told(serving: Serving) -> tuple[int, list[str]]:
    return serving.sender.pk, sorted(serving.countries)
