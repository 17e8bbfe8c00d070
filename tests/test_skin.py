"""The skin: every colour in every theme, nothing inline, no override beyond two templates; and the first page."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from smsdesk import clock, dashboard
from smsdesk.models import Heartbeat
from tests import factories

ROOT = Path(__file__).resolve().parent.parent
CSS = (ROOT / "smsdesk/static/smsdesk/desk.css").read_text(encoding="utf-8")
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


def themes() -> dict[str, dict[str, str]]:
    """Variables of the three colour blocks, in the order light, dark, auto."""
    blocks = re.findall(r"\{((?:[^{}]*--[\w-]+:[^{}]*)color-scheme:[^{}]*)\}", CSS)
    assert len(blocks) == 3
    found = [dict(re.findall(r"(--[\w-]+):\s*([^;]+);", block)) for block in blocks]
    return dict(zip(("light", "dark", "auto"), found, strict=True))


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_colour_is_set_in_every_theme():
    lists = themes()
    assert set(lists["light"]) == set(lists["dark"]) == set(lists["auto"])
    assert lists["dark"] == lists["auto"]


def test_every_colour_that_is_used_is_a_variable():
    rules = CSS[CSS.index("/* --- Ground") :]
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[^{}]*;)", rules) == []
    known = set(themes()["light"]) | {
        "--desk-radius",
        "--desk-gap",
        "--font-family-monospace",
        "--font-family-primary",
    }
    assert set(re.findall(r"var\((--[\w-]+)", rules)) <= known


TONES = ("ok", "busy", "wait", "bad", "off", "out", "in", "note")
GROUNDS = ("--body-bg", "--desk-surface", "--darkened-bg", "--selected-bg")
PAIRS = [
    *[(f"--desk-{tone}-fg", f"--desk-{tone}-bg") for tone in TONES],
    *[(text, ground) for text in ("--body-fg", "--body-quiet-color", "--link-fg") for ground in GROUNDS],
    ("--button-fg", "--button-bg"),
    ("--button-fg", "--button-hover-bg"),
    ("--button-fg", "--delete-button-bg"),
    ("--button-fg", "--close-button-bg"),
    ("--error-fg", "--desk-surface"),
    ("--header-color", "--header-bg"),
]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_can_be_read_on_its_ground(theme, text, ground):
    colours = themes()[theme]
    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_fields_and_charts_stand_out_from_the_page(theme):
    colours = themes()[theme]
    for name in ("--desk-input-line", "--desk-series-1", "--desk-series-2", "--desk-focus", "--accent"):
        assert contrast(colours[name], colours["--desk-surface"]) >= 3


def test_nothing_in_the_skin_is_forced():
    assert "!important" not in CSS
    assert "@import" not in CSS
    assert "url(" not in CSS


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_have_nothing_inline(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|hx-on|javascript:", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text)


def test_only_two_templates_of_the_admin_are_replaced():
    assert {path.name for path in (ROOT / "templates/admin").rglob("*")} == {"base_site.html", "index.html"}


def test_the_script_stays_small_and_evaluates_nothing():
    script = (ROOT / "smsdesk/static/smsdesk/desk.js").read_text(encoding="utf-8")
    assert len(script.splitlines()) <= 300
    assert not re.search(r"\beval\(|new Function|innerHTML|document\.write|\.style\b", script)


# --- The first page ------------------------------------------------------------------------------------


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def desk(admin_client):
    return admin_client


@pytest.mark.django_db
def test_a_worker_that_never_showed_itself_is_said_to_be_missing(desk):
    assert "python manage.py runall" in desk.get(reverse("admin:index")).content.decode()


@pytest.mark.django_db
def test_a_worker_that_beats_is_not_mentioned(desk):
    Heartbeat.objects.create(name="tick", beat_at=clock.database_now())
    assert "The worker is not running" not in desk.get(reverse("admin:index")).content.decode()


@pytest.mark.django_db
def test_a_worker_silent_for_two_minutes_is_missing():
    Heartbeat.objects.create(name="tick", beat_at=clock.database_now() - timedelta(seconds=121))
    assert dashboard.worker_is_silent()


@pytest.mark.django_db
def test_somebody_without_permissions_sees_an_empty_desk():
    page = client_of(factories.staff()).get(reverse("admin:index"))
    assert page.status_code == 200
    assert page.context["figures"] == page.context["needs"] == page.context["quick_actions"] == []
    assert [link["label"] for link in page.context["desk_nav"]] == ["Dashboard"]


@pytest.mark.django_db
def test_the_page_obeys_the_strict_policy(desk):
    policy = desk.get(reverse("admin:index")).headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy


@pytest.mark.django_db
def test_the_checklist_can_be_hidden(desk):
    assert desk.get(reverse("admin:dismiss_checklist")).status_code == 405
    desk.post(reverse("admin:dismiss_checklist"))
    assert desk.get(reverse("admin:index")).context["lessons"] == []


@pytest.mark.django_db
def test_the_pages_of_the_queue_are_for_superusers_to_read(desk):
    assert desk.get(reverse("admin:django_q_schedule_changelist")).status_code == 200
    assert desk.get(reverse("admin:django_q_schedule_add")).status_code == 403
    agent = client_of(factories.staff("django_q.view_schedule", "django_q.add_schedule"))
    assert agent.get(reverse("admin:django_q_schedule_changelist")).status_code == 403
