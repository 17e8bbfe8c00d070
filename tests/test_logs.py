"""No text and no full number gets into a log line, whatever happens to a message."""

import io
import json
import logging

import pytest
from django.test import Client
from django.utils import timezone

from campaigns import receipts
from campaigns.models import OutboundMessage
from inbound.models import InboundMessage
from smsdesk import observability
from smsdesk.gateways import errors
from smsdesk.gateways.contract import Receipt
from tests import factories, sending_rig

pytestmark = pytest.mark.django_db
CANARY = "canaryword"


@pytest.fixture
def lines():
    """Everything any logger says meanwhile, as the desk writes it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(observability.formatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lambda: stream.getvalue().splitlines()
    root.removeHandler(handler)
    root.setLevel(level)


def post(account, body, *, kind="inbound"):
    address = f"/hooks/{account.public_id}/{account.hook_secret}/{kind}/"
    return Client(raise_request_exception=False).post(address, json.dumps(body), content_type="application/json")


def test_a_message_sent_delivered_answered_and_failed_leaves_no_text_and_no_number(lines):
    campaign = sending_rig.campaign(3, body=f"Hi {{{{ first_name }}}}, {CANARY}")
    account, phones = campaign.sender.account, list(OutboundMessage.objects.values_list("phone", flat=True))
    refusal = errors.InvalidRecipient("4101", f"{phones[0]} {CANARY}")
    sending_rig.record(*sending_rig.submit(campaign.sender), outcome="rejected", error=refusal)
    row = OutboundMessage.objects.first()
    told = Receipt(
        event_key="e", reference=row.public_id, gateway_id=CANARY, word="SENT", state="sent", at=timezone.now(),
        raw={"to": row.phone, "text": CANARY},
    )  # fmt: skip
    receipts.record(account, [told], now=timezone.now())
    entry = {"from": phones[0][1:], "to": campaign.sender.value[1:], "smsCount": 1}
    for number, text in enumerate((f"hello {CANARY}", "STOP", f'stop {CANARY} \n{{"event":"forged"}}')):
        assert post(account, {"results": [{**entry, "messageId": f"in{number}", "text": text}]}).status_code == 200
    assert post(
        account, {"results": [{"messageId": phones[1], "to": phones[1][1:], "text": CANARY}]}, kind="status"
    )
    assert post(account, {CANARY: phones[2]}).status_code == 400
    logging.getLogger("somebody.elses").warning("could not reach %s", phones[2])
    logging.getLogger("psycopg").error("Key (phone)=(%s) already exists.\nforged: line", phones[1])

    said = lines()
    assert InboundMessage.objects.count() == 3
    assert said
    for line in said:
        json.loads(line)  # one object a line: nothing forges a second
        assert CANARY not in line
        for phone in phones:
            assert phone not in line
            assert phone[1:] not in line


def test_a_failure_with_a_number_and_a_text_in_its_words_is_masked(lines):
    phone = factories.next_phone()
    try:
        raise ValueError(f"{phone} is no good")
    except ValueError:
        logging.getLogger("any").exception("it failed for %s", phone)
    (line,) = lines()
    assert phone not in line
    assert "is no good" in line
