import django_filters
from django import forms
from drf_spectacular.utils import extend_schema_field

from contacts import tagging
from smsdesk import phones
from smsdesk.api.filters import ListFilters, MomentFilter
from smsdesk.errors import Invalid


class PhoneField(forms.Field):
    """A number as E.164, read into its subscriber key: the alias forms of one handset find the same rows."""

    def clean(self, value: object) -> str | None:
        text = str(value or "")
        if not text:
            return None
        text = f"+{text[1:]}" if text.startswith(" ") else text  # a bare + in a query string arrives as a blank
        try:
            return phones.parse(text, default_region="").subscriber_key
        except Invalid as error:
            raise forms.ValidationError(error.sentence(), code=error.code) from None


@extend_schema_field({"type": "string"})
class PhoneFilter(django_filters.Filter):  # type: ignore[misc]
    field_class = PhoneField


class TagField(forms.Field):
    """A name in either case."""

    def clean(self, value: object) -> str | None:
        return tagging.folded(str(value)) if value else None


@extend_schema_field({"type": "string"})
class TagFilter(django_filters.Filter):  # type: ignore[misc]
    field_class = TagField


class ContactFilters(ListFilters):
    phone = PhoneFilter(field_name="subscriber_key", label="E.164, for example +12125550123.")
    name = django_filters.CharFilter(lookup_expr="istartswith", label="How their name begins.")
    external_id = django_filters.CharFilter(label="Your id.")
    list = django_filters.CharFilter(field_name="lists__name", label="Name of a list they are on.")
    tag = TagFilter(field_name="tags__folded_name", label="Name of a tag they have.")
    updated_after = MomentFilter(field_name="updated_at", lookup_expr="gt", label="Changed after this time.")
