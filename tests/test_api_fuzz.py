"""Whatever is sent to an endpoint, valid or not: the answer is one its description names, and never a 500."""

import json
from pathlib import Path

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import checks

from contacts.segments import keeping
from smsdesk.models import ApiKey
from tests import factories
from tests.test_api_conversations import hear
from tests.test_importing import ready

pytestmark = pytest.mark.django_db
schema = schemathesis.openapi.from_path(Path(__file__).parent.parent / "docs" / "schema.yml")
schema.app = get_wsgi_application()
CHECKS = (
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
)
BOUNDED = settings(
    max_examples=20,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
NASTY = ["", "\x00", "\ud800", "😀" * 200, "' OR 1=1 --", "{{ 7 * 7 }}", "{% for i in (1..9999999) %}x{% endfor %}",
         "../../etc", "1e400", "+1 (212) 555-01", "con_" + "f" * 32, "٣", "\u202e", "a" * 5000]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20) | st.sampled_from(NASTY),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NASTY) | st.text(max_size=8), inner)
    ),
    max_leaves=8,
)  # fmt: skip


@pytest.fixture(autouse=True)
def one_connection(db):
    """The test is one transaction: it must outlive each request."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def world(settings):
    """A key that may do everything, and one row of each kind to aim at."""
    settings.ALLOWED_HOSTS = ["localhost", "testserver"]  # the first is how schemathesis calls it
    key, text = factories.api_key()
    ApiKey.objects.filter(pk=key.pk).update(requests_per_minute=10**9)
    sender = factories.sender()
    campaign = factories.campaign(factories.contact_list(factories.opted_in(sender.brand)), sender=sender)
    message = factories.outbound(campaign, factories.contact())
    conversation = hear("Where is my order?", sender=sender)
    made = ready("phone,name\n+12025550177,Ann\nbad,Bo\n")
    segment = keeping.add(name="Americans", rule=AMERICANS, by=None)
    refs = {row.prefix: row.ref for row in (conversation.contact, campaign, message, conversation, segment, made)}
    return text, {"contacts": refs["con"], "campaigns": refs["cmp"], "messages": refs["msg"],
                  "conversations": refs["cnv"], "segments": refs["seg"], "imports": refs["imp"]}  # fmt: skip


@schema.parametrize()
@BOUNDED
def test_every_answer_is_one_the_description_names(case, world):
    text, refs = world
    if "id" in case.path_parameters and len(str(case.body)) % 3:  # the others aim at what is not there
        case.path_parameters["id"] = refs[case.operation.path.split("/")[3]]
    response = case.call(headers={"Authorization": f"Bearer {text}"})
    case.validate_response(response, checks=CHECKS)


AMERICANS = {"match": "all", "conditions": [{"kind": "country", "operator": "is_any_of", "values": ["US"]}]}
OPERATIONS = [
    ("POST", "contacts/", ["phone", "name", "external_id", "language", "region", "time_zone", "attributes"]),
    ("PATCH", "contacts/{contacts}/", ["name", "external_id", "language", "region", "time_zone", "attributes"]),
    ("PUT", "contacts/by-external-id/7/", ["phone", "name", "attributes"]),
    ("POST", "contacts/{contacts}/consents/",
     ["kind", "brand", "purposes", "source", "basis", "proof", "occurred_at", "expires_at", "note"]),
    ("POST", "messages/", ["to", "contact", "purpose", "text", "sender", "brand", "send_at", "send_by"]),
    ("POST", "campaigns/",
     ["name", "brand", "sender", "purpose", "body", "include", "exclude", "send_at", "latest_start", "send_by"]),
    ("PATCH", "campaigns/{campaigns}/", ["name", "brand", "sender", "body", "include", "send_at"]),
    ("POST", "campaigns/{campaigns}/launch/", ["anything"]),
    ("POST", "conversations/{conversations}/reply/", ["text", "last_seen"]),
    ("PUT", "imports/{imports}/settings/", ["columns", "brand", "list", "default_country", "consent"]),
    ("POST", "imports/{imports}/start/", ["anything"]),
    ("POST", "segments/", ["name", "description", "rule"]),
    ("PATCH", "segments/{segments}/", ["name", "description", "rule"]),
]  # fmt: skip
SOUND = {
    "columns": {"phone": "phone"}, "default_country": "US",
    "rule": AMERICANS,
    "phone": "+12025550177", "to": "+12025550177", "kind": "opt_in", "purposes": ["marketing"], "basis": "express",
    "source": "paper", "proof": {"wording": "w", "method": "paper", "act": "signed"}, "purpose": "transactional",
    "text": "Hi", "name": "N", "last_seen": "",
}  # fmt: skip


@pytest.mark.parametrize(("method", "path", "names"), OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS])
@BOUNDED
@given(chosen=st.data())
def test_one_wrong_field_among_sound_ones_is_never_a_500(method, path, names, chosen, world):
    text, refs = world
    body = {name: SOUND[name] for name in names if name in SOUND}
    name = chosen.draw(st.sampled_from(names))
    body[name] = chosen.draw(JSON)
    raw = json.dumps(body)
    client = Client(headers={"Authorization": f"Bearer {text}"}, raise_request_exception=True)
    url = f"/api/v1/{path.format(**refs)}"
    answer = client.generic(method, url, raw, content_type="application/json")
    assert answer.status_code < 500, (raw, answer.content)


PARAMETERS = ["cursor", "limit", "ordering", "phone", "state", "status", "created_after", "created_before",
              "updated_after", "active_after", "external_id", "list", "contact", "campaign", "kind"]  # fmt: skip


@pytest.mark.parametrize("path", ["contacts/", "messages/", "campaigns/", "conversations/"])
@BOUNDED
@given(name=st.sampled_from(PARAMETERS), value=st.text(max_size=30) | st.sampled_from(NASTY))
def test_no_query_is_a_500(path, name, value, world):
    answer = Client(headers={"Authorization": f"Bearer {world[0]}"}).get(
        f"/api/v1/{path}", {name: value.encode("utf-8", "surrogatepass")}
    )
    assert answer.status_code in (200, 400)


@pytest.mark.parametrize("path", ["contacts/{}/", "messages/{}/", "campaigns/{}/report/", "contacts/{}/consents/"])
@BOUNDED
@given(value=st.text(max_size=30) | st.sampled_from(NASTY))
def test_no_address_is_a_500(path, value, world):
    client = Client(headers={"Authorization": f"Bearer {world[0]}"})
    raw = f"/api/v1/{path.format(value)}".encode("utf-8", "surrogatepass").decode("latin-1")  # as WSGI hands it on
    answer = client.get("/api/v1/", PATH_INFO=raw)
    assert answer.status_code in (200, 400, 404)
