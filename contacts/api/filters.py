import django_filters
from django import forms

from smsdesk import phones


class PhoneField(forms.Field):
    """A number as E.164, read into its subscriber key: the alias forms of one handset find the same rows."""

    def clean(self, value: object) -> str | None:
        text = str(value or "")
        if not text:
            return None
        text = f"+{text[1:]}" if text.startswith(" ") else text  # a bare + in a query string arrives as a blank
        return phones.parse(text, default_region="").subscriber_key


class PhoneFilter(django_filters.Filter):  # type: ignore[misc]
    field_class = PhoneField
