"""Brands in the admin: what they say by themselves is checked before it is saved."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest

from contacts import reply_lint
from contacts.models import Brand
from contacts.reply_lint import Kind
from smsdesk.admin import BaseModelAdmin
from smsdesk.errors import DomainError

REPLIES = {"stop_reply": Kind.STOP, "start_reply": Kind.OPT_IN, "help_reply": Kind.HELP}
_REPLY = forms.Textarea(attrs={"rows": 3, "cols": 70})


class BrandForm(forms.ModelForm[Brand]):
    class Meta:
        model = Brand
        fields = "__all__"  # of a model that people write as a whole  # noqa: DJ007
        widgets = dict.fromkeys(REPLIES, _REPLY)
        help_texts = {
            "stop_reply": "Sent once after STOP; it may only confirm. {brand} stands for the brand's name.",
            "start_reply": "Sent once after START. {brand} stands for the brand's name.",
            "help_reply": "Sent once after HELP. {brand} stands for the brand's name.",
        }

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        name = given.get("name", "")
        for field, kind in REPLIES.items():
            if name and field in given:
                try:
                    reply_lint.refuse(given[field], kind=kind, brand=name, field=field)
                except DomainError as problem:
                    self.add_error(field, f"{problem.message} {problem.cure}")
        return given


@admin.register(Brand)
class BrandAdmin(BaseModelAdmin):
    form = BrandForm
    list_display = ["name", "default_country", "is_sending"]
    prepopulated_fields = {"slug": ["name"]}
    actions = None

    @admin.display(description="Sending", boolean=True)
    def is_sending(self, brand: Brand) -> bool:
        return not brand.sending_paused

    def save_model(self, request: HttpRequest, obj: Brand, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        for field, kind in REPLIES.items():
            for warning in reply_lint.warnings(getattr(obj, field), kind=kind, brand=obj.name):
                messages.warning(request, f"{field.replace('_', ' ').capitalize()}: {warning}")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # consent belongs to it
