from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from campaigns import reasons
from contacts.models import Purpose
from inbound import opt_in_forms, public_views, signing_up
from inbound.models import OptInForm, SignUp, SignUpState, Wording
from smsdesk import phones
from smsdesk.admin import BaseModelAdmin, ReadOnlyModelAdmin
from smsdesk.errors import DomainError

WIDE = forms.URLInput(attrs={"size": 60})
COLOURS = {SignUpState.ASKED: "wait", SignUpState.JOINED: "ok", SignUpState.WITHDRAWN: "bad"}


class PageForm(forms.ModelForm[OptInForm]):
    """The form's own settings, and the words beside the box, which are kept version by version."""

    purposes = forms.MultipleChoiceField(
        choices=[(one.value, one.label) for one in Purpose if one.value in opt_in_forms.PURPOSES],
        widget=forms.CheckboxSelectMultiple,
        help_text="What people agree to. The words beside the box must say so.",
    )
    text = forms.CharField(
        label="Words beside the box",
        max_length=opt_in_forms.LONGEST,
        widget=forms.Textarea(attrs={"rows": 6, "cols": 80}),
        help_text=f"Kept to the letter as proof; a change makes a new version. For example: {opt_in_forms.EXAMPLE}",
    )
    terms_url = forms.URLField(label="Terms", assume_scheme="https", max_length=300, widget=WIDE)
    privacy_url = forms.URLField(label="Privacy policy", assume_scheme="https", max_length=300, widget=WIDE)

    class Meta:
        model = OptInForm
        fields = (
            "name", "title", "brand", "sender", "purposes", "double_opt_in", "question", "reminder", "welcome",
            "is_active",
        )  # fmt: skip
        widgets = {
            name: forms.Textarea(attrs={"rows": 3, "cols": 80}) for name in ("question", "reminder", "welcome")
        }

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        shown = self.instance.wording() if self.instance.pk else None
        if shown:
            for name in ("text", "terms_url", "privacy_url"):
                self.fields[name].initial = getattr(shown, name)

    def draft(self) -> opt_in_forms.Draft:
        given = self.cleaned_data
        return opt_in_forms.Draft(given["text"], given["terms_url"], given["privacy_url"])

    def _post_clean(self) -> None:
        """Once the row carries what was typed, ask the rule; its answer stands beside the field it names."""
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        try:
            opt_in_forms.check(self.instance)
            opt_in_forms.check_wording(self.draft(), form=self.instance)
        except DomainError as problem:
            self.add_error(problem.field if problem.field in self.fields else None, problem.sentence())


@admin.register(OptInForm)
class OptInFormAdmin(BaseModelAdmin):
    form = PageForm
    list_display = ("name", "brand", "is_active", "version", "sent_in", "asked", "joined", "unanswered")
    list_filter = ("is_active", "brand")
    list_select_related = ("brand", "sender")
    search_fields = ("name", "title")
    actions = None
    change_list_template = "inbound/opt_in_form_list.html"
    readonly_fields = ("address", "versions")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        page = ("name", "title", "brand", "sender", "purposes", "double_opt_in", "is_active")
        words = ("text", "terms_url", "privacy_url")
        sets = [
            (None, {"fields": (*page, "address") if obj else page}),
            ("What people agree to", {"fields": (*words, "versions") if obj else words}),
            ("Texts", {"fields": ("question", "reminder", "welcome")}),
        ]
        return sets

    def get_urls(self) -> list[URLPattern]:
        preview = self.admin_site.admin_view(self.preview)
        return [path("<int:pk>/preview/", preview, name="inbound_optinform_preview"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        newest = Wording.objects.filter(form=OuterRef("pk")).order_by("-number").values("number")[:1]
        rows: QuerySet[Any] = super().get_queryset(request)
        rows = rows.annotate(
            shown_version=Subquery(newest),
            all_sent_in=Count("sign_ups"),
            all_asked=Count("sign_ups", filter=Q(sign_ups__asked_at__isnull=False)),
            all_joined=Count("sign_ups", filter=Q(sign_ups__state=SignUpState.JOINED)),
            all_ended=Count("sign_ups", filter=Q(sign_ups__state=SignUpState.ENDED)),
        )
        return rows

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # proofs name its wordings: it is switched off instead

    def save_model(self, request: HttpRequest, obj: OptInForm, form: Any, change: bool) -> None:
        opt_in_forms.keep(obj, draft=form.draft(), by=request.user.get_username(), now=timezone.now())

    def preview(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The page as it is now, switched on or not; nothing on it can be sent."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = get_object_or_404(OptInForm.objects.select_related("brand", "sender"), pk=pk)
        return public_views.preview(request, form)

    @admin.display(description="wording")
    def version(self, row: Any) -> str:
        return f"version {row.shown_version}" if row.shown_version else "none"

    @admin.display(description="sent in")
    def sent_in(self, row: Any) -> str:
        return f"{row.all_sent_in:,}"

    @admin.display(description="got a text")
    def asked(self, row: Any) -> str:
        return _of(row.all_asked, row.all_sent_in)

    @admin.display(description="joined")
    def joined(self, row: Any) -> str:
        return _of(row.all_joined, row.all_asked)

    @admin.display(description="no YES in time")
    def unanswered(self, row: Any) -> str:
        return _of(row.all_ended, row.all_asked)

    @admin.display(description="address")
    def address(self, row: OptInForm) -> SafeString:
        public, preview = signing_up.form_url(row), reverse("admin:inbound_optinform_preview", args=[row.pk])
        shape = '<p><a href="{}">{}</a></p><p><a class="button quiet" href="{}">Preview</a></p>'
        return format_html(shape, public, public, preview)

    @admin.display(description="versions")
    def versions(self, row: OptInForm) -> SafeString:
        """Every version that was ever shown, to the letter."""
        shape = (
            "<details><summary>Version {}, {}, by {}</summary><p><code>SHA-256 {}</code></p><pre>{}</pre></details>"
        )
        lines = [
            (one.number, _minute(one.created_at), one.author or "?", one.sha256, one.shown)
            for one in row.wordings.order_by("-number")
        ]
        return format_html_join("", shape, lines)


@admin.register(SignUp)
class SignUpAdmin(ReadOnlyModelAdmin):
    """Every form that was sent in, and what became of it."""

    list_display = ("created_at", "form", "number", "what", "why", "asked_at", "reminded_at", "ends_at")
    list_filter = ("state", "form")
    list_select_related = ("form",)
    date_hierarchy = "created_at"
    ordering = ("-pk",)
    change_list_template = "inbound/sign_up_list.html"
    fields = (
        "form", "brand", "wording", "number", "what", "why", "created_at", "asked_at", "reminded_at", "ends_at",
        "done_at",
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: object | None = None) -> tuple[str, ...]:
        return self.fields

    @admin.display(description="number")
    def number(self, row: SignUp) -> str:
        return phones.mask(row.phone) if row.phone else "cleared"

    @admin.display(description="state", ordering="state")
    def what(self, row: SignUp) -> SafeString:
        colour = COLOURS.get(SignUpState(row.state), "off")
        return format_html('<span class="pill pill-{}">{}</span>', colour, row.get_state_display())

    @admin.display(description="reason")
    def why(self, row: SignUp) -> str:
        if not row.reason:
            return ""
        return signing_up.SENTENCES.get(row.reason) or reasons.sentence(row.reason, {})


def _of(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,}" if whole else "0"


def _minute(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}"
