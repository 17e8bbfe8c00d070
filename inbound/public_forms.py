"""Forms that strangers fill in."""

from typing import Any

from django import forms

from smsdesk import phones
from smsdesk.errors import Invalid


class SignUpForm(forms.Form):
    """A number, and a box that nobody has ticked beforehand."""

    phone = forms.CharField(
        label="Your mobile number",
        max_length=40,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel", "inputmode": "tel"}),
        error_messages={"required": "Type your mobile number."},
    )
    agree = forms.BooleanField(
        error_messages={"required": "Tick the box if you agree; without it we cannot text you."}
    )
    page = forms.CharField(
        max_length=1_000, error_messages={"required": "This page was not complete. Please send it again."}
    )
    # Hidden from people, filled in by robots.
    fax = forms.CharField(required=False, max_length=200)

    def __init__(self, *arguments: Any, default_region: str, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._default_region = default_region

    def clean_phone(self) -> phones.Phone:
        try:
            return phones.parse(self.cleaned_data["phone"], default_region=self._default_region)
        except Invalid as problem:
            raise forms.ValidationError(f"{problem.message} {problem.cure}".strip()) from problem

    def clean_fax(self) -> str:
        if self.cleaned_data["fax"]:
            raise forms.ValidationError("Leave the field “Fax” empty.")
        return ""
