from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from contacts import tagging
from contacts.models import Tag
from smsdesk.admin import BaseModelAdmin
from smsdesk.errors import DomainError


class TagForm(forms.ModelForm[Tag]):
    class Meta:
        model = Tag
        fields = ["name"]

    def clean_name(self) -> str:
        try:
            name = tagging.clean(self.cleaned_data["name"])
        except DomainError as error:
            raise forms.ValidationError(f"{error.message} {error.cure}") from error
        if Tag.objects.filter(folded_name=tagging.folded(name)).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("There is a tag of this name already. Use another name.")
        return name


@admin.register(Tag)
class TagAdmin(BaseModelAdmin):
    form = TagForm
    list_display = ["name", "people", "created_at"]
    search_fields = ["name"]
    ordering = ["folded_name"]
    actions = None

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        tags: QuerySet[Any] = super().get_queryset(request)
        counted: QuerySet[Any] = tags.annotate(count=Count("taggings"))
        return counted

    def save_model(self, request: HttpRequest, obj: Tag, form: Any, change: bool) -> None:
        if change:
            tagging.rename(obj, name=obj.name)
        else:
            obj.pk = tagging.named(obj.name).pk

    def has_delete_permission(self, request: HttpRequest, obj: Tag | None = None) -> bool:
        """Not one that a segment names: the segment would silently fit other people."""
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not obj.segments.exists())

    @admin.display(description="Contacts", ordering="count")
    def people(self, tag: Any) -> SafeString:
        address = f"{reverse('admin:contacts_contact_changelist')}?tags__id__exact={tag.pk}"
        return format_html('<a href="{}">{}</a>', address, f"{tag.count:,}")
