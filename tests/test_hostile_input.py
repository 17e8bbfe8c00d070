"""Whatever is typed or put into an address of the desk: an answer, never a 500."""

import re
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.contrib import admin
from django.urls import reverse

from tests import attacked_desk
from tests.attacked_desk import HOSTILE

pytestmark = pytest.mark.django_db

# Pages that are Django's own get the worst only; ours get everything.
WORST = ("nul", "surrogate", "digits", "deep", "markup", "long")
DJANGOS = ("_changelist", "_add", "_delete", "_history", "_change", "_view_on_site")


@pytest.fixture
def desk():
    return attacked_desk.build()


@pytest.fixture
def root():
    return attacked_desk.signed_in(attacked_desk.superuser())


def typed(text):
    """As a browser would send it; half of a surrogate pair becomes the bytes that stand for it."""
    return text.encode("utf-8", "surrogatepass")


def submit(client, path, fields):
    return client.post(path, urlencode(fields, doseq=True), content_type="application/x-www-form-urlencoded")


@pytest.fixture
def refuse_500(request):
    """Collects what broke, so that one run names all of it."""
    broken = []
    yield lambda response, what: broken.append(what) if response.status_code >= 500 else None
    assert broken == []


@pytest.mark.parametrize("kind", WORST)
def test_every_list_survives_every_search(refuse_500, desk, root, kind):
    for path in attacked_desk.changelists():
        refuse_500(root.get(path, {"q": typed(HOSTILE[kind][:6_000])}), (path, kind))


def filter_names(model_admin):
    """The names by which a list is narrowed in its address."""
    for spec in model_admin.list_filter:
        field = spec[0] if isinstance(spec, tuple) else spec
        if isinstance(field, str):
            yield from (f"{field}__exact", f"{field}__id__exact")
        else:
            yield field.parameter_name
    if model_admin.date_hierarchy:
        yield from (f"{model_admin.date_hierarchy}__{part}" for part in ("year", "month", "day"))
    yield from ("o", "p", "_to_field", "nowhere__exact")


@pytest.mark.parametrize("value", ["x", "9" * 30])
def test_every_list_survives_every_filter(refuse_500, desk, root, value):
    for model, model_admin in admin.site._registry.items():
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for name in filter_names(model_admin):
            refuse_500(root.get(path, {name: value}), (path, name, value))


@pytest.mark.parametrize("value", ["0", "-1", "10000", "99999"])
def test_every_list_survives_every_date(refuse_500, desk, root, value):
    for model, model_admin in admin.site._registry.items():
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        if model_admin.date_hierarchy:
            for part in ("year", "month", "day"):
                refuse_500(root.get(path, {f"{model_admin.date_hierarchy}__{part}": value}), (path, part, value))


@pytest.mark.parametrize("value", ["x", "a\u202eb", "9" * 30, "9" * 5_000, "%00", "%ED%A0%80"])
def test_every_address_survives_every_path(refuse_500, desk, root, value):
    for route, name in attacked_desk.routes():
        if "<" not in route or "(?P" in route:
            continue
        path = "/" + re.sub(r"<[^>]+>", value, route)
        for method in (root.get, root.post):
            refuse_500(method(path), (path, name))


@pytest.mark.parametrize("kind", WORST)
def test_every_form_of_the_admin_survives_everything_typed(refuse_500, desk, root, kind):
    addresses = attacked_desk.admin_addresses(desk)
    forms = [path for name, path in addresses.items() if name.endswith(("_add", "_change", "_edit"))]
    for path in forms:
        page = root.get(path)
        if page.status_code != 200 or not page.context or "adminform" not in page.context:
            continue
        data = {}
        for name, field in attacked_desk.form_fields(page).items():
            choices = [str(c[0]) for c in getattr(field, "choices", []) if str(c[0])]
            data[name] = choices[0] if choices and kind != "digits" else typed(HOSTILE[kind])
            for part in ("_0", "_1"):
                data[name + part] = typed(HOSTILE[kind][:100])
        refuse_500(submit(root, path, data), (path, kind))


def hostile_posts(desk):
    """Every address that takes a form of our own, and its fields."""
    at = lambda name, *args: reverse(f"admin:{name}", args=args)  # noqa: E731
    thread = desk.conversation.ref
    return {
        at("campaigns_campaign_new"): {"name": "*"},
        **{
            at("campaigns_campaign_step", desk.draft.pk, step): {
                "name": "*", "brand": "*", "sender": "*", "purpose": "*", "include": "*", "exclude": "*",
                "body": "*", "begin": "later", "send_at": "*", "latest_start": "*", "send_by": "*",
            }
            for step in ("audience", "message", "schedule", "review")
        },
        at("campaigns_campaign_preview", desk.draft.pk): {"body": "*", "pick": "*", "contact": "*"},
        at("contacts_contact_opt_out", desk.contact.pk): {"optout_brand": "", "note": "*"},
        at("contacts_contact_opt_in", desk.contact.pk): {
            "brand": desk.brand.pk, "purpose": "marketing", "basis": "express_written", "source": "paper",
            "occurred_at": "2026-01-01T00:00", "wording": "*", "act": "*", "document": "*",
        },
        at("contacts_contactimport_columns", desk.contact_import.pk): {
            "brand": "*", "contact_list": "*", "new_list": "*", "default_country": "*", "purpose": "marketing",
            "basis": "*", "obtained_at": "*", "method": "*", "wording": "*", "source": "*",
            "column_0": "*", "column_1": "*", "attribute_0": "*", "attribute_1": "*",
        },
        reverse("inbox_reply", args=[thread]): {"text": "*", "last_seen": "*", "form_token": "*"},
        reverse("inbox_reply", args=[thread]) + "?": {"text": "*", "last_seen": "*", "form_token": str(uuid4())},
        reverse("inbox_draft", args=[thread]): {"text": "*"},
        reverse("inbox_do", args=[thread, "note"]): {"text": "*"},
        reverse("inbox_do", args=[thread, "assign"]): {"agent": "*"},
        "/admin/login/": {"username": "*", "password": "*"},
    }  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_every_page_of_our_own_survives_everything_typed(refuse_500, desk, root, kind):
    for path, fields in hostile_posts(desk).items():
        data = {name: typed(HOSTILE[kind]) if value == "*" else value for name, value in fields.items()}
        refuse_500(submit(root, path, data), (path, kind))


@pytest.mark.parametrize("kind", HOSTILE)
def test_every_query_of_our_pages_survives_everything(refuse_500, desk, root, kind):
    names = ["q", "view", "state", "page", "open", "after", "shown", "at", "reason", "pick", "contact", "body"]
    for name, path in attacked_desk.admin_addresses(desk).items():
        if name.endswith(DJANGOS):
            continue
        query = {key: typed(HOSTILE[kind][:300]) for key in names}  # the web server takes 4,094 bytes of address
        refuse_500(root.get(path, query), (name, kind))


@pytest.mark.parametrize("key", ["x", "9" * 30, "\u0000"])
def test_an_action_on_rows_that_cannot_be_is_refused(refuse_500, desk, root, key):
    for path in attacked_desk.changelists():
        for action in ("delete_selected", "revoke"):
            answer = submit(root, path, {"action": action, "_selected_action": key, "index": key, "post": "yes"})
            refuse_500(answer, (path, action))


def test_a_cookie_of_nul_characters_is_nobody(root):
    root.cookies["sessionid"] = '"' + "\\000" * 32 + '"'
    answer = root.get("/admin/", headers={"Cookie": 'sessionid="' + "\\000" * 32 + '"'})
    assert answer.status_code == 302
