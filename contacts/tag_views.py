"""Tags on the page of a contact, and tagging everybody a list shows."""

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from contacts import admission, contact_views, tagging
from contacts.models import Contact, Tag
from smsdesk.errors import DomainError, Invalid


@require_POST
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Put tags on (`tags`, separated by commas) or take one off (`remove`)."""
    contact = admission.visible(request, str(pk))
    admission.require(request, contact_views.MAY_TAG)
    error = ""
    try:
        if "remove" in request.POST:
            tagging.take_off(contact, [request.POST["remove"]], by=request.user)
        else:
            tagging.put(contact, _typed(request.POST.get("tags", "")), by=request.user, now=timezone.now())
    except DomainError as refused:
        error = f"{refused.message} {refused.cure}"
    if request.headers.get("HX-Request"):
        context = {"contact": contact, "tag_error": error, "tag_typed": error and request.POST.get("tags", "")}
        return TemplateResponse(
            request, "contacts/_tags.html", contact_views.tags_shown(request, contact) | context
        )
    if error:
        messages.error(request, error)
    return redirect("admin:contacts_contact_change", contact.pk)


class AllForm(forms.Form):
    what = forms.ChoiceField(
        label="What", choices=[("put", "Put the tag on"), ("take", "Take the tag off")], widget=forms.RadioSelect
    )
    tag = forms.CharField(label="Tag", max_length=200, widget=forms.TextInput(attrs={"list": "known-tags"}))


def all_of(request: HttpRequest, people: "QuerySet[Contact]") -> HttpResponse:
    """The list's action: asks which tag, says how many people it is about, and does it when confirmed."""
    admission.require(request, contact_views.MAY_TAG)
    form = AllForm(request.POST if "confirmed" in request.POST else None, initial={"what": "put"})
    if form.is_valid():
        try:
            messages.success(request, _do(request, people, form.cleaned_data))
            return redirect(request.get_full_path())
        except Invalid as error:
            form.add_error("tag", f"{error.message} {error.cure}")
    context = {
        **admin.site.each_context(request),
        "title": "Tag contacts",
        "opts": Contact._meta,
        "form": form,
        "count": people.order_by().count(),
        "examples": [person.name or "No name" for person in people[:10]],
        "known_tags": Tag.objects.order_by("folded_name")[:200],
        "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "checkbox": ACTION_CHECKBOX_NAME,
        "action": request.POST.get("action", ""),
        "across": request.POST.get("select_across", "0"),
    }
    return TemplateResponse(request, "contacts/tag_all.html", context)


def _do(request: HttpRequest, people: "QuerySet[Contact]", given: dict[str, str]) -> str:
    if given["what"] == "put":
        tag = tagging.named(given["tag"])
        count = tagging.put_on_all(people, tag=tag, by=request.user, now=timezone.now())
        return f"Tagged “{tag}”: {count:,} contacts. The others had it already."
    tag = tagging.known(given["tag"])
    return f"“{tag}” taken off {tagging.take_off_all(people, tag=tag, by=request.user):,} contacts."


def _typed(text: str) -> list[str]:
    names = [name for name in text.split(",") if name.strip()]
    if not names:
        raise Invalid("tag_empty", "A tag needs a name.", field="tags", cure="For example: vip.")
    if len(names) > tagging.MOST_AT_ONCE:
        cure = f"Give at most {tagging.MOST_AT_ONCE} at once."
        raise Invalid("too_many_tags", "These are too many tags.", field="tags", cure=cure)
    return names
