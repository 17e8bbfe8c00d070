from datetime import timedelta

import pytest
from django.utils import timezone

from contacts import consent
from contacts.models import ConsentEvent, ConsentSource, ConsentState, Suppression
from tests import factories

pytestmark = pytest.mark.django_db
PROOF = {"wording": "Send me offers", "method": "web_form", "act": "ticked the box", "ip": "192.0.2.1"}


@pytest.fixture
def api():
    return factories.api()


@pytest.fixture
def contact():
    return factories.contact()


@pytest.fixture
def brand():
    return factories.brand()


def opt_in(brand, **over):
    return {
        "kind": "opt_in",
        "brand": brand.slug,
        "purposes": ["marketing"],
        "basis": "express_written",
        "source": "web_form",
        "proof": PROOF,
        **over,
    }


def post(api, contact, body, **headers):
    url = f"/api/v1/contacts/{contact.ref}/consents/"
    return api.post(url, body, content_type="application/json", headers=headers)


def test_consent_with_proof_is_recorded_and_shown(api, contact, brand):
    answer = post(api, contact, opt_in(brand))
    assert answer.status_code == 201, answer.json()
    assert answer.json()["actor"].startswith("sk_live_")
    now = api.get(f"/api/v1/contacts/{contact.ref}/").json()["consents"]
    assert [(one["brand"], one["purpose"], one["is_active"], one["is_proven"]) for one in now] == [
        (brand.slug, "marketing", True, True)
    ]
    history = api.get(f"/api/v1/contacts/{contact.ref}/consents/").json()["data"]
    assert [(one["kind"], one["has_evidence"]) for one in history] == [("opt_in", True)]


def test_an_opt_out_of_everything_is_recorded_and_stands(api, contact, brand):
    post(api, contact, opt_in(brand))
    assert post(api, contact, {"kind": "opt_out", "source": "verbal", "note": "by phone"}).status_code == 201
    about = api.get(f"/api/v1/contacts/{contact.ref}/").json()
    assert [one["is_active"] for one in about["consents"]] == [False]
    assert [(one["brand"], one["purpose"]) for one in about["suppressions"]] == [(None, "*")]
    post(api, contact, opt_in(brand, source="api"))
    assert Suppression.objects.filter(lifted_by=None).count() == 1


def test_a_web_form_that_a_key_reports_lifts_no_stop(api, contact, brand):
    now = timezone.now()
    consent.opt_out(contact, brand=brand, source=ConsentSource.TEXT, occurred_at=now, now=now)
    assert post(api, contact, opt_in(brand)).status_code == 201
    assert Suppression.objects.get().lifted_by is None
    assert [one["is_active"] for one in api.get(f"/api/v1/contacts/{contact.ref}/").json()["consents"]] == [False]


@pytest.mark.parametrize("source", ["text", "link", "carrier", "clock"])
def test_a_key_cannot_claim_what_only_the_phone_or_the_desk_can_say(api, contact, brand, source):
    assert post(api, contact, opt_in(brand, source=source)).status_code == 400


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"proof": None}, "/proof"),
        ({"proof": {"wording": "x"}}, "/proof/method"),
        ({"proof": {**PROOF, "ip": "here"}}, "/proof/ip"),
        ({"proof": {**PROOF, "extra": 1}}, "/proof/extra"),
        ({"brand": None}, "/brand"),
        ({"brand": "nobody"}, "/brand"),
        ({"basis": "unproven"}, "/basis"),
        ({"source": "text"}, "/source"),
        ({"source": "complaint"}, "/source"),
        ({"purposes": []}, "/purposes"),
        ({"purposes": ["*"]}, "/purposes/0"),
        ({"purposes": "marketing"}, "/purposes"),
        ({"kind": "lift"}, "/kind"),
        ({"kind": ["opt_in"]}, "/kind"),
        ({"note": "x"}, "/note"),
        ({"occurred_at": "2199-01-01T00:00:00Z"}, "/occurred_at"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_recorded(api, contact, brand, change, pointer):
    answer = post(api, contact, {**opt_in(brand), **change})
    assert answer.status_code == 400, answer.json()
    assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]
    assert not ConsentEvent.objects.exists()


def test_the_history_is_paged_and_takes_few_queries(api, contact, brand, django_assert_max_num_queries):
    start = timezone.now() - timedelta(days=1)
    for hour in range(6):
        at = (start + timedelta(hours=hour)).isoformat()
        post(api, contact, opt_in(brand, occurred_at=at))
    with django_assert_max_num_queries(5):  # key, last use, allowance, contact, events
        page = api.get(f"/api/v1/contacts/{contact.ref}/consents/?limit=4").json()
    rest = api.get(page["next"]).json()
    assert len(page["data"]) + len(rest["data"]) == 6
    assert ConsentState.objects.count() == 1


def test_the_same_key_twice_records_one_event(api, contact, brand):
    for _ in range(2):
        assert post(api, contact, opt_in(brand), **{"Idempotency-Key": "k"}).status_code == 201
    assert ConsentEvent.objects.count() == 1
