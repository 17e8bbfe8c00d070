"""The gateways' front door under attack: nothing forged gets in, nothing breaks it, no secret gets into a log."""

import io
import json
import logging
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.test import Client

from inbound.models import InboundMessage
from smsdesk import observability
from smsdesk.gateways import twilio_signature
from tests import factories
from tests.attacked_desk import HOSTILE

pytestmark = pytest.mark.django_db
TOKEN = "canary-token"


@pytest.fixture
def infobip():
    return factories.sender()


@pytest.fixture
def twilio():
    credentials = {"account_sid": "AC" + "a" * 32, "auth_token": TOKEN}
    return factories.sender(account=factories.account(credentials, kind="twilio"))


@pytest.fixture
def door():
    return Client(raise_request_exception=False)


def address(account, kind="inbound"):
    return f"/hooks/{account.public_id}/{account.hook_secret}/{kind}/"


def form_of(sender, **over):
    sid = "AC" + "a" * 32
    return {
        "MessageSid": "SM1",
        "AccountSid": sid,
        "From": "+12025550111",
        "To": sender.value,
        "Body": "hi",
        **over,
    }


def signed(door, sender, pairs, *, token=TOKEN, kind="inbound", sign=None):
    path = address(sender.account, kind)
    form = {}
    for name, value in sign or pairs:
        form.setdefault(name, []).append(value)
    proof = twilio_signature.signature(settings.PUBLIC_URL + path, form=form, secret=token)
    body = urlencode(pairs, errors="surrogatepass")
    return door.post(
        path, body, content_type="application/x-www-form-urlencoded", headers={"X-Twilio-Signature": proof}
    )


def told(door, sender, body, *, kind="inbound"):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return door.post(address(sender.account, kind), raw, content_type="application/json")


def text_entry(sender, **over):
    return {"messageId": "in1", "from": "12025550111", "to": sender.value[1:], "text": "hi", "smsCount": 1, **over}


def test_a_genuine_text_is_stored_once_however_often_it_comes(door, infobip, twilio):
    for _ in range(3):
        assert signed(door, twilio, list(form_of(twilio).items())).status_code == 200
        assert told(door, infobip, {"results": [text_entry(infobip)]}).status_code == 200
    assert InboundMessage.objects.count() == 2


def test_an_answer_says_how_long_it_is(door, twilio):
    answer = signed(door, twilio, list(form_of(twilio).items()))
    assert answer["Content-Length"] == str(len(answer.content))


def test_a_text_tampered_with_by_one_byte_is_refused(door, twilio):
    genuine = list(form_of(twilio).items())
    for place in range(len(genuine)):
        forged = [(name, value + "x" if at == place else value) for at, (name, value) in enumerate(genuine)]
        assert signed(door, twilio, forged, sign=genuine).status_code in (401, 403), genuine[place]
    assert signed(door, twilio, [*genuine, ("Body", "STOP")], sign=genuine).status_code in (401, 403)
    assert signed(door, twilio, genuine, token="another").status_code in (401, 403)
    assert not InboundMessage.objects.exists()


def test_the_secret_of_one_account_does_not_open_another(door, infobip, twilio):
    mixed = f"/hooks/{infobip.account.public_id}/{twilio.account.hook_secret}/inbound/"
    answer = door.post(mixed, {"results": [text_entry(infobip)]}, content_type="application/json")
    unknown = door.post(
        "/hooks/00000000-0000-4000-8000-000000000000/x/inbound/", {}, content_type="application/json"
    )
    assert (answer.status_code, answer.content) == (unknown.status_code, unknown.content) == (404, answer.content)


@pytest.mark.parametrize("kind", ["statuss", "STATUS", "%00", "..", "inbound%2F", "x" * 3_000])
@pytest.mark.parametrize("method", ["get", "head", "put", "delete", "patch", "options", "post"])
def test_wrong_kinds_and_methods_are_refused(door, infobip, kind, method):
    assert 400 <= getattr(door, method)(address(infobip.account, kind)).status_code < 500
    if method != "post":
        assert getattr(door, method)(address(infobip.account)).status_code == 405


@pytest.mark.parametrize("kind", ["inbound", "status"])
@pytest.mark.parametrize(
    "body",
    [
        b"", b"\x00", b"\xff\xfe", b"\xc0\xaf", b"null", b"[]", b'"x"', b"1e999", b"NaN", b"{" * 30_000,
        b'{"results":' + b"[" * 30_000, b'{"results": ' + b"9" * 5_000 + b"}", b'{"results": [[[]]]}',
        b'{"results": [{}], "results": 3}', b'{"results": {"a": 1}}', b'{"results": [null, 1, "x", []]}',
    ],
)  # fmt: skip
def test_bodies_that_make_no_sense_are_answered(door, infobip, kind, body):
    assert told(door, infobip, body, kind=kind).status_code < 500
    assert not InboundMessage.objects.exists()


@pytest.mark.parametrize("text", [*(text[:15_000] for text in HOSTILE.values()), "\\ud800", ""])
def test_every_field_of_a_webhook_survives_everything(door, infobip, twilio, text):
    for name in text_entry(infobip):
        for value in (text, None, 7, [text], {"a": text}, True, 10**40, -1, 1.5):
            answer = told(door, infobip, {"results": [text_entry(infobip, **{name: value})]})
            assert answer.status_code < 500, (name, value)
    receipt = {
        "messageId": "x",
        "to": "1",
        "doneAt": "x",
        "status": {"groupName": "x", "id": 5},
        "error": {"id": 1},
    }
    for name in receipt:
        assert told(door, infobip, {"results": [{**receipt, name: text}]}, kind="status").status_code < 500, name
    for name in form_of(twilio):
        if "\ud800" not in text:
            assert signed(door, twilio, list(form_of(twilio, **{name: text}).items())).status_code < 500, name


def test_huge_bodies_are_refused_unread(door, infobip, twilio):
    path = address(infobip.account)
    assert door.post(path, b"x" * 1_000_000, content_type="application/json").status_code == 413
    fields = "&".join(f"f{number}=" for number in range(100_000))
    assert door.post(path, fields, content_type="application/x-www-form-urlencoded").status_code == 413
    many = [("a", "") for _ in range(5_000)]
    assert 400 <= signed(door, twilio, many).status_code < 500


@pytest.fixture
def written():
    """What the desk's own log handler writes during the test."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(observability.formatter())
    logging.getLogger().addHandler(handler)
    before = logging.getLogger().level
    logging.getLogger().setLevel(logging.DEBUG)
    yield stream.getvalue
    logging.getLogger().removeHandler(handler)
    logging.getLogger().setLevel(before)


def test_no_log_holds_the_secret_of_a_hook(door, twilio, written):
    path = address(twilio.account)
    door.get(path)
    door.post(path, {"Body": "x"})
    door.post(address(twilio.account, "nowhere"))
    door.post(path + "?m=" + "x" * 60, b"x" * 100_000, content_type="text/plain")
    assert "/hooks/" in written()
    assert twilio.account.hook_secret not in written()


def test_no_log_holds_a_whole_number(written):
    log = logging.getLogger("some.library")
    try:
        raise ValueError("Key (phone)=(+12025550187) already exists.")
    except ValueError:
        log.exception("to=%s", "+12025550187")
    log.warning("{'phone': '+442079460101'}")
    assert "0187" in written()
    assert "+12025550187" not in written()
    assert "+442079460101" not in written()
