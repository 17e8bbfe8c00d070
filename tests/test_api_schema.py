"""The committed description of the API is the one the code gives."""

import io
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

COMMITTED = Path(__file__).parent.parent / "docs" / "schema.yml"


def test_the_committed_description_is_current_and_without_warnings():
    made = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=made)
    assert made.getvalue().rstrip() == COMMITTED.read_text(encoding="utf-8").rstrip(), (
        "Run: python manage.py spectacular --validate --fail-on-warn --file docs/schema.yml"
    )


def test_no_answer_gives_away_what_is_not_for_integrators():
    text = COMMITTED.read_text(encoding="utf-8")
    for name in ("subscriber_key", "secret_sha256", "hook_secret", "credentials", "prev_hash", "password"):
        assert name not in text


@pytest.mark.django_db
def test_the_reference_page_loads_nothing_from_elsewhere_and_nothing_inline():
    page = Client().get("/api/docs/")
    html = page.content.decode()
    assert page.status_code == 200
    assert "<style" not in html
    assert "<script>" not in html
    assert "style=" not in html
    assert "https://" not in html
    assert "script-src 'self'" in page["Content-Security-Policy"]
    assert Client().get("/api/docs/?script=").status_code == 200
    assert Client().get("/api/schema/").status_code == 200


@pytest.mark.django_db
def test_a_nul_in_the_address_is_a_problem_too():
    answer = Client().get("/api/v1/contacts/?phone=%00")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "nul_character"
