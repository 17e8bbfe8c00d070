from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest

from inbound import keywords
from inbound.models import Keyword
from smsdesk.admin import BaseModelAdmin
from smsdesk.errors import DomainError


class KeywordForm(forms.ModelForm[Keyword]):
    aliases = forms.CharField(
        required=False,
        help_text="Other spellings that count as the same, separated by commas.",
        widget=forms.TextInput(attrs={"size": 60}),
    )

    class Meta:
        model = Keyword
        fields = (
            "brand",
            "word",
            "aliases",
            "sender",
            "action",
            "purpose",
            "call_to_action",
            "reply",
            "is_active",
        )
        help_texts = {
            "word": "One word. STOP, START, HELP and their families are answered before any keyword.",
            "sender": "Leave empty to answer on every sender of the brand.",
            "reply": "Sent at once. {brand} stands for the brand's name.",
        }

    def __init__(self, *args: object, **named: object) -> None:
        super().__init__(*args, **named)  # type: ignore[arg-type]
        self.initial["aliases"] = ", ".join(self.instance.aliases)

    def clean_word(self) -> str:
        return str(self.cleaned_data["word"]).strip().upper()

    def clean_aliases(self) -> list[str]:
        parts = str(self.cleaned_data["aliases"]).split(",")
        return [alias for part in parts if (alias := part.strip().upper())]

    def _post_clean(self) -> None:
        """Once the row carries what was typed, ask the rule; its answer stands beside the field it names."""
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        try:
            keywords.check(self.instance)
        except DomainError as problem:
            field = problem.field if problem.field in self.fields else None
            self.add_error(field, problem.sentence())


@admin.register(Keyword)
class KeywordAdmin(BaseModelAdmin):
    form = KeywordForm
    list_display = ("word", "brand", "sender", "action", "is_active")
    list_filter = ("is_active", "action", "brand")
    list_select_related = ("brand", "sender")
    search_fields = ("word",)

    def save_model(self, request: HttpRequest, obj: Keyword, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        for warning in keywords.warnings(obj):
            messages.warning(request, f"Reply: {warning}")
