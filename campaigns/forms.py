"""The steps of the campaign wizard: each is a form over a few fields of the draft row."""

import copy
import re
from collections.abc import Collection, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils import timezone

from campaigns import accounts, drafting, lint, rendering
from campaigns.models import Campaign, CampaignState, GatewayAccount, Sender, SenderKind
from contacts.models import Purpose, WhenCapped
from smsdesk import sms_text
from smsdesk.errors import DomainError
from smsdesk.gateways import registry

# Why somebody is written to by a campaign; replies and confirmations are not campaigns.
PURPOSES = [(purpose.value, purpose.label) for purpose in (Purpose.MARKETING, Purpose.TRANSACTIONAL)]


class NewForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="Only you and your colleagues see it.")


class SenderField(forms.ModelChoiceField[Sender]):
    def label_from_instance(self, obj: Sender) -> str:
        return f"{obj.value} ({obj.get_kind_display()}, {obj.brand})"


class MessageForm(forms.ModelForm[Campaign]):
    """The text, refused where it cannot be read, names an unknown field, or may not be sent."""

    class Meta:
        model = Campaign
        fields = ["restricted", "min_age", "body"]  # the text is judged by what is declared of it
        labels = {"body": "Text", "restricted": "Restricted content", "min_age": "Minimum age"}
        help_texts = {
            "restricted": "Alcohol, tobacco and the like are sent only where a minimum age is set.",
            "min_age": "Full years. Who is younger or has no birth date on record is skipped. Empty: the brand's.",
        }
        widgets = {"body": forms.Textarea(attrs={"rows": 7, "maxlength": rendering.LONGEST_BODY})}

    def clean_body(self) -> str:
        body = sms_text.clean(self.cleaned_data["body"]).strip()
        if not body:
            raise ValidationError("Write the message.")
        try:
            drafting.check_fields(body)
        except DomainError as error:
            raise ValidationError(sentence(error)) from error
        declared = copy.copy(self.instance)
        for name in ("restricted", "min_age"):
            setattr(declared, name, self.cleaned_data.get(name))
        blocking = [finding for finding in lint.check(declared, body=body) if finding.is_blocking]
        if blocking:
            raise ValidationError([f"{finding.message} {finding.cure}" for finding in blocking])
        return body


class ScheduleForm(forms.ModelForm[Campaign]):
    """When it begins and ends; times are those of the operator's zone."""

    begin = forms.ChoiceField(
        choices=[("now", "As soon as it is launched"), ("later", "At a time")], widget=forms.RadioSelect
    )

    class Meta:
        model = Campaign
        fields = ["begin", "send_at", "latest_start", "send_by", "when_capped", "budget"]
        labels = {
            "budget": "Budget in parts",
            "send_at": "Begin at",
            "latest_start": "Latest start",
            "send_by": "End of the offer",
            "when_capped": "Who has had the most messages allowed",
        }
        help_texts = {
            "latest_start": "If it has not begun by then, because no worker was running, it waits for you instead.",
            "send_by": "From then on nothing leaves; who would have to wait longer is skipped.",
            "budget": "A long text takes several parts. Before it would use more, the campaign pauses itself and "
            "waits for you. Empty: no budget.",
        }
        widgets = {
            name: forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
            for name in ("send_at", "latest_start", "send_by")
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("begin", "later" if self.instance.send_at else "now")
        self.fields["when_capped"].choices = [("", "As each frequency cap says"), *WhenCapped.choices]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        now = timezone.now()
        if cleaned.get("begin") == "now":
            cleaned["send_at"] = cleaned["latest_start"] = None
        elif not cleaned.get("send_at") and "send_at" not in self.errors:
            self.add_error("send_at", "Choose the time to begin, or “as soon as it is launched”.")
        begins = cleaned.get("send_at") or now
        if begins < now:
            self.add_error("send_at", f"This time is past. It is {timezone.localtime(now):%Y-%m-%d %H:%M} now.")
        if cleaned.get("latest_start") and cleaned["latest_start"] < begins:
            self.add_error("latest_start", "The latest start is before the beginning. Choose a later one.")
        if cleaned.get("send_by") and cleaned["send_by"] <= begins:
            self.add_error("send_by", "The offer ends before the campaign begins. Choose a later end.")
        return cleaned


def sentence(error: DomainError) -> str:
    """A `DomainError` under its own field: reason, value and cure, without the field's name."""
    shown = f" (given: {error.value!r})" if error.value else ""
    return f"{error.message}{shown} {error.cure}".strip()


class AccountForm(forms.ModelForm[GatewayAccount]):
    """A gateway account with its credentials, which can be written and never read."""

    class Meta:
        model = GatewayAccount
        fields = ["name", "kind", "base_url", "is_simulator", "max_calls"]

    kept: Collection[str] = ()  # names of the secrets that stay where nothing is typed
    stored: Mapping[str, str] = {}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if str(cleaned.get("base_url")).startswith("http://") and not cleaned.get("is_simulator"):
            cure = "Use the https:// address, like https://api.example.com, or say that it is a simulator."
            self.add_error("base_url", f"Over http credentials would travel readable. {cure}")
        self._refuse_another_account()
        if "base_url" in self.changed_data and self.instance.pk:
            for name in self.kept:
                if not cleaned.get(CREDENTIAL + name):
                    self.add_error(CREDENTIAL + name, "It is not sent to another address: type it again.")
        return cleaned

    def _refuse_another_account(self) -> None:
        """Whoever is asked for what became of a message must be the one it was given to."""
        if not self.instance.pk:
            return
        changed = ["base_url"] if "base_url" in self.changed_data else []
        for field in registry.credential_fields(self.instance.kind):
            typed = self.cleaned_data.get(CREDENTIAL + field.name)
            if field.names_account and typed and field.name in self.stored:
                changed += [CREDENTIAL + field.name] if typed != self.stored[field.name] else []
        open_ = accounts.open_outcomes(Sender.objects.filter(account=self.instance)) if changed else 0
        for name in changed if open_ else ():
            self.add_error(name, _OPEN.format(count=open_))


CREDENTIAL = "credential_"
_OPEN = (
    "Of {count:,} messages it is not known yet whether they were sent, and only the account they were given to can "
    "tell. Wait until they are settled, or add another one."
)


def credential_names(kind: str) -> list[str]:
    return [CREDENTIAL + field.name for field in registry.credential_fields(kind)]


def account_form(kind: str, *, stored: Mapping[str, str]) -> type[AccountForm]:
    """The form with one write-only field per credential of this kind; one of `stored` may stay empty."""
    fields: dict[str, Any] = {}
    for field in registry.credential_fields(kind):
        fields[CREDENTIAL + field.name] = forms.CharField(
            label=field.label,
            required=field.required and field.name not in stored,
            max_length=500,
            help_text="Stored; empty keeps it." if field.name in stored else field.help,
            widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}) if field.secret else forms.TextInput,
        )
    kept = [field.name for field in registry.credential_fields(kind) if field.secret and field.name in stored]
    return type("AccountFormOfKind", (AccountForm,), {**fields, "kept": kept, "stored": stored})


_SHORT_CODE = re.compile(r"\d{3,8}")
# A hyphen only in the marks of advertising that the Emirates and Saudi Arabia ask for.
_NAME = re.compile(r"(?=.*[A-Za-z])(?=.{1,11}$)(?:AD-)?[A-Za-z0-9 ]+(?:-AD)?")
_TOLL_FREE = ("+1800", "+1833", "+1844", "+1855", "+1866", "+1877", "+1888")


class SenderForm(forms.ModelForm[Sender]):
    """A sender, in the form its kind has (providers' rules, as they stand in the reference)."""

    class Meta:
        model = Sender
        fields = [
            "value", "kind", "brand", "account", "country", "registered_in", "parts_per_second", "daily_cap",
            "day_zone", "is_registered", "is_default",
        ]  # fmt: skip
        help_texts = {
            "value": "A number like +12125550123, a short code of 3 to 8 digits, or a name of 1 to 11 characters.",
            "parts_per_second": "Parts, not messages: a long text takes several. Ask the provider.",
        }

    def clean_country(self) -> str:
        country = str(self.cleaned_data["country"]).strip().upper()
        if not re.fullmatch("[A-Z]{2}", country):
            raise ValidationError("Two letters, like US.")
        return country

    def clean_parts_per_second(self) -> float:
        rate = float(self.cleaned_data["parts_per_second"])
        if not 0 < rate <= 10_000:
            raise ValidationError("More than 0 and at most 10,000 parts a second.")
        return rate

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        self._refuse_another_identity()
        kind, value = cleaned.get("kind"), str(cleaned.get("value") or "").strip()
        if not kind or not value:
            return cleaned
        wrong = _wrong_value(value, kind)
        if wrong:
            self.add_error("value", wrong)
        cleaned["value"] = value
        return cleaned

    def _refuse_another_identity(self) -> None:
        """What a launched campaign was sent from, or is being sent from, stays what it was."""
        changed = [name for name in ("value", "kind", "brand", "account") if name in self.changed_data]
        if not self.instance.pk or not changed:
            return
        launched = Campaign.objects.exclude(state=CampaignState.DRAFT)
        used = launched.filter(Q(sender=self.instance) | Q(further_senders__sender=self.instance)).first()
        for name in changed if used else ():
            self.add_error(name, f"The campaign “{used}” uses this sender as it is. Add another sender instead.")
        moved = [name for name in changed if name != "brand"] if not used else []
        open_ = accounts.open_outcomes([self.instance]) if moved else 0
        for name in moved if open_ else ():
            self.add_error(name, _OPEN.format(count=open_))


def _wrong_value(value: str, kind: str) -> str:
    """Why this is no sender of this kind, or ""."""
    if kind == SenderKind.ALPHANUMERIC:
        return "" if _NAME.fullmatch(value) else "1 to 11 letters, digits or spaces, at least one letter."
    if kind == SenderKind.SHORT_CODE:
        return "" if _SHORT_CODE.fullmatch(value) else "A short code has 3 to 8 digits and nothing else."
    if kind == SenderKind.TOLL_FREE:
        ok = re.fullmatch(r"\+1\d{10}", value) and value.startswith(_TOLL_FREE)
        return "" if ok else "A toll-free number begins with +1 800, 833, 844, 855, 866, 877 or 888."
    if kind == SenderKind.TEN_DLC:
        ok = re.fullmatch(r"\+1[2-9]\d{9}", value) and not value.startswith(_TOLL_FREE)
        return "" if ok else "A 10DLC number is +1 and 10 digits, and not toll-free."
    return "" if re.fullmatch(r"\+[1-9]\d{6,14}", value) else "A number in international form, like +447400123456."
