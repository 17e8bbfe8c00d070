"""Forms of the contact pages. They clean and complain; what happens is done by the verbs."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django import forms
from django.utils import timezone

from contacts import claims, rule_book
from contacts import fields as rules
from contacts.models import Basis, Brand, ClosedDay, ConsentSource, Contact, Purpose, QuietHoursRule
from smsdesk import phones, sms_text
from smsdesk.errors import DomainError

T = TypeVar("T")
YEAR = timedelta(days=366)
DATE_TIME = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class ContactForm(forms.ModelForm[Contact]):
    """A person typed in by hand. The number can be given once; it never changes afterwards."""

    phone = forms.CharField(
        max_length=60, help_text="With + and country code, for example +1 212 555 0101. It cannot be changed later."
    )

    class Meta:
        model = Contact
        fields = [
            "phone", "name", "external_id", "language", "region", "time_zone", "birth_date", "line_type",
            "attributes",
        ]  # fmt: skip
        help_texts = {
            "external_id": "How your other systems call this person.",
            "language": "A code like en or pt-BR.",
            "time_zone": "From the postal address, like America/Chicago. Empty: what the number suggests.",
            "attributes": 'Values for texts, for example {"first_name": "Ann"}.',
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields.pop("phone", None)

    def clean_phone(self) -> str:
        text = self.cleaned_data["phone"]
        parsed = _checked(lambda: phones.parse(text, default_region=_default_country()))
        if Contact.objects.filter(subscriber_key=parsed.subscriber_key).exists():
            raise forms.ValidationError("There is a contact with this phone already. Change that one instead.")
        return parsed.e164

    def clean_external_id(self) -> str | None:
        text = self._clean_text("external_id")
        taken = Contact.objects.filter(external_id=text).exclude(pk=self.instance.pk)
        if text and taken.exists():
            raise forms.ValidationError("Another contact has this external id. Use another one.")
        return text or None

    def clean_name(self) -> str:
        return self._clean_text("name")

    def clean_language(self) -> str:
        return self._clean_text("language")

    def clean_region(self) -> str:
        return self._clean_text("region")

    def clean_time_zone(self) -> str:
        return self._clean_text("time_zone")

    def clean_birth_date(self) -> str:
        born = self.cleaned_data["birth_date"]
        return _checked(lambda: rules.clean("birth_date", born.isoformat() if born else ""))

    def clean_attributes(self) -> dict[str, str]:
        given = self.cleaned_data["attributes"] or {}
        if not isinstance(given, dict):
            raise forms.ValidationError('Write pairs of a name and a text, for example {"first_name": "Ann"}.')
        return _checked(lambda: rules.clean_attributes(given))

    def values(self) -> dict[str, Any]:
        """What is handed to `people`; attributes that were taken out of the text are emptied."""
        values = {name: self.cleaned_data[name] for name in rules.EDITABLE if name in self.cleaned_data}
        if self.instance.pk and "attributes" in values:
            before = self.initial.get("attributes") or {}
            values["attributes"] = dict.fromkeys(before, "") | values["attributes"]
        return values

    def _clean_text(self, name: str) -> str:
        return _checked(lambda: rules.clean(name, self.cleaned_data[name] or ""))


class OptOutForm(forms.Form):
    """Somebody told us to stop, by whatever means: it counts at once, and how we know is kept."""

    optout_brand = forms.ModelChoiceField(
        Brand.objects.order_by("name"), required=False, empty_label="Every brand", label="Brand"
    )
    note = forms.CharField(
        label="How do you know?",
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="For example: told me on the phone on 3 May; e-mail of 4 May, ticket 118.",
    )

    def clean_note(self) -> str:
        return _text(self.cleaned_data["note"])


class OptInForm(forms.Form):
    """An agreement that was given elsewhere, with the proof the rules ask for."""

    brand = forms.ModelChoiceField(Brand.objects.order_by("name"))
    purpose = forms.ChoiceField(
        choices=[(p.value, p.label) for p in (Purpose.MARKETING, Purpose.TRANSACTIONAL)],
    )
    basis = forms.ChoiceField(
        choices=[(b.value, b.label) for b in Basis if b not in (Basis.CONVERSATIONAL, Basis.UNPROVEN)]
    )
    source = forms.ChoiceField(
        label="How it was given",
        choices=[(s.value, s.label) for s in (ConsentSource.WEB_FORM, ConsentSource.PAPER, ConsentSource.VERBAL)],
    )
    occurred_at = forms.DateTimeField(label="When", widget=DATE_TIME, help_text="In your time zone.")
    wording = forms.CharField(
        label="Exact words the person saw or heard", max_length=5_000, widget=forms.Textarea(attrs={"rows": 3})
    )
    act = forms.CharField(
        label="What the person did", max_length=300, help_text="For example: ticked the box, signed, said yes."
    )
    document = forms.CharField(
        label="Where the proof is kept", max_length=300, help_text="Address of the form, file, recording."
    )

    def clean_occurred_at(self) -> Any:
        moment = self.cleaned_data["occurred_at"]
        if moment > timezone.now():
            raise forms.ValidationError("Consent cannot be given in the future. Give the time of the agreement.")
        if moment < claims.EARLIEST:
            raise forms.ValidationError("Nobody agreed to texts that long ago. Give the time of the agreement.")
        return moment

    def clean_wording(self) -> str:
        return _text(self.cleaned_data["wording"])

    def clean_act(self) -> str:
        return _text(self.cleaned_data["act"])

    def clean_document(self) -> str:
        return _text(self.cleaned_data["document"])


class ZoneForm(forms.Form):
    """Their own word replaces what the number suggests."""

    zone = forms.CharField(label="Time zone", max_length=64, help_text="For example America/Chicago.")
    quote = forms.CharField(
        label="What they said, and where",
        max_length=2_000,
        help_text="For example: said on the phone that she has moved to Austin.",
    )


class OwnerForm(forms.Form):
    """The number belongs to somebody else now."""

    note = forms.CharField(label="How do you know?", max_length=2_000)

    def clean_note(self) -> str:
        return _text(self.cleaned_data["note"])


class InstantForm(forms.Form):
    """The moment "what may I send?" is asked for."""

    at = forms.DateTimeField(label="At", required=False, widget=DATE_TIME)

    def clean_at(self) -> datetime | None:
        moment: datetime | None = self.cleaned_data["at"]
        if moment is not None and abs(moment - timezone.now()) > YEAR:
            raise forms.ValidationError("Choose a moment within a year from now.")
        return moment


class QuietHoursForm(forms.ModelForm[QuietHoursRule]):
    class Meta:
        model = QuietHoursRule
        fields = [
            "code", "windows", "closed_on_holidays", "daily_most", "replaces", "is_active", "kind", "source",
            "confidence", "note", "verified_on",
        ]  # fmt: skip
        help_texts = {
            "code": "* for countries without a row, a country (US), or a US state (US-TX).",
            "confidence": "low: unverified, so keep the stricter reading.",
        }


class ClosedDayForm(forms.ModelForm[ClosedDay]):
    class Meta:
        model = ClosedDay
        fields = ["code", "day", "reason"]

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"].strip()
        known = [rule_book.EVERYWHERE, *QuietHoursRule.objects.values_list("code", flat=True)]
        if code not in known:
            raise forms.ValidationError(
                f"No quiet hours rule is called {code!r}. Use one that is, or * for everywhere."
            )
        return code


def _default_country() -> str:
    """How a number without + is read; only where all brands agree on it."""
    countries = set(Brand.objects.values_list("default_country", flat=True))
    return countries.pop() if len(countries) == 1 else ""


def _text(value: str) -> str:
    text = sms_text.clean(value).strip()
    if not text:
        raise forms.ValidationError("Write a few words; this is the evidence.")
    return text


def _checked(rule: Callable[[], T]) -> T:
    try:
        return rule()
    except DomainError as error:
        raise forms.ValidationError(f"{error.message} {error.cure}".strip()) from error
