import itertools
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import receipts
from campaigns.models import DeliveryEvent, OutboundMessage, OutboundState
from contacts.models import Contact, Suppression
from smsdesk.gateways.contract import Receipt
from smsdesk.gateways.errors import ErrorClass
from tests import factories, sending_rig

pytestmark = pytest.mark.django_db

_keys = itertools.count()


def receipt(row: OutboundMessage, state: str, **over) -> Receipt:
    values = {
        "event_key": f"event-{next(_keys)}",
        "reference": row.public_id,
        "gateway_id": "gw-1",
        "word": state.upper(),
        "state": state,
        "at": timezone.now(),
        **over,
    }
    return Receipt(**values)


@pytest.fixture
def row():
    """Accepted by the gateway."""
    campaign = sending_rig.campaign(1)
    sending_rig.record(*sending_rig.submit(campaign.sender))
    return OutboundMessage.objects.select_related("sender__account").get()


def record(row, *events) -> str:
    receipts.record(row.sender.account, events, now=timezone.now())
    row.refresh_from_db()
    return row.state


@pytest.mark.parametrize(
    "order", list(itertools.permutations(("accepted", "sent", "delivered", "undelivered", "sent")))
)
def test_any_order_of_receipts_ends_delivered(row, order):
    for state in order:
        record(row, receipt(row, state))
    assert row.state == "delivered"


def test_a_late_sent_never_overwrites_a_final_word(row):
    assert record(row, receipt(row, "undelivered", code="30003")) == "undelivered"
    assert record(row, receipt(row, "sent")) == "undelivered"
    assert row.error_code == "30003"


def test_the_same_receipt_five_times_is_one_event(row):
    event = receipt(row, "delivered")
    for _ in range(5):
        record(row, event)
    assert DeliveryEvent.objects.count() == 1


@pytest.mark.parametrize("state", ["submitting", "unknown", "parked"])
def test_a_receipt_proves_that_an_unsettled_message_was_taken(row, state):
    OutboundMessage.objects.update(state=state, gateway_id="", token=uuid.uuid4())
    assert record(row, receipt(row, "sent")) == "sent"
    assert row.gateway_id == "gw-1"


@pytest.mark.parametrize("state", ["skipped", "cancelled"])
def test_no_receipt_revives_a_message_that_was_kept_back(row, state):
    OutboundMessage.objects.update(state=state, code="X", submit_no=0)
    assert record(row, receipt(row, "delivered")) == state


def test_a_word_nobody_knows_is_kept_and_moves_nothing(row):
    assert record(row, receipt(row, "", word="mystery")) == "accepted"
    assert DeliveryEvent.objects.get().word == "mystery"


def test_a_receipt_is_found_by_the_gateways_id_where_ours_is_missing(row):
    assert record(row, receipt(row, "delivered", reference=None, gateway_id=row.gateway_id)) == "delivered"


def test_a_receipt_of_another_account_touches_nothing(row):
    receipts.record(factories.account(), [receipt(row, "delivered")], now=timezone.now())
    row.refresh_from_db()
    assert row.state == "accepted"
    assert DeliveryEvent.objects.get().message is None


def test_an_early_receipt_is_matched_when_its_id_is_known(row):
    early = receipt(row, "delivered", reference=None, gateway_id="later")
    record(row, early)
    assert row.state == "accepted"
    OutboundMessage.objects.update(gateway_id="later")

    assert receipts.rematch(now=timezone.now()) == 1
    row.refresh_from_db()
    assert row.state == "delivered"


def test_receipts_unmatched_for_a_week_are_left_alone(row):
    record(row, receipt(row, "delivered", reference=None, gateway_id="never"))
    assert receipts.rematch(now=timezone.now() + timedelta(days=8)) == 0


def test_a_receipt_that_reports_an_opt_out_suppresses(row):
    record(row, receipt(row, "rejected", code="21610", error_class=ErrorClass.OPTED_OUT))
    assert row.state == "rejected"
    assert Suppression.objects.get().source == "carrier"


def test_a_number_that_is_gone_is_marked(row):
    record(row, receipt(row, "undelivered", error_class=ErrorClass.RECIPIENT, permanent=True))
    assert Contact.objects.get().dead_since is not None


@pytest.mark.parametrize("count", [1, 40])
def test_however_many_receipts_come_together_they_take_one_round_trip(count):
    campaign = sending_rig.campaign(count)
    sending_rig.record(*sending_rig.submit(campaign.sender))
    rows = list(OutboundMessage.objects.all())
    account = campaign.sender.account
    with CaptureQueriesContext(connection) as queries:
        receipts.record(account, [receipt(one, "delivered") for one in rows], now=timezone.now())
    asked = [one["sql"] for one in queries if "SAVEPOINT" not in one["sql"]]
    assert len(asked) == (1 if connection.vendor == "postgresql" else 3)
    assert set(OutboundMessage.objects.values_list("state", flat=True)) == {OutboundState.DELIVERED.value}
    assert DeliveryEvent.objects.exclude(message=None).count() == count


def test_of_two_words_in_one_call_the_higher_counts_whatever_their_order(row):
    assert record(row, receipt(row, "delivered"), receipt(row, "sent")) == "delivered"
    assert DeliveryEvent.objects.count() == 2


def test_the_same_receipt_twice_in_one_call_is_one_event(row):
    event = receipt(row, "delivered")
    record(row, event, event)
    assert DeliveryEvent.objects.count() == 1


def test_a_receipt_keeps_what_the_gateway_said(row):
    at = timezone.now() - timedelta(minutes=3)
    raw = {"status": {"name": "x\x00y", "id": 7}, "note": 'a "quote" \\ % %s', "none": None}
    record(row, receipt(row, "undelivered", code="30003", at=at, raw=raw, error_class=ErrorClass.CARRIER))
    event = DeliveryEvent.objects.get()
    assert (event.code, event.error_class, event.occurred_at) == ("30003", "carrier", at)
    assert event.raw == {"status": {"name": "xy", "id": 7}, "note": 'a "quote" \\ % %s', "none": None}
    assert (row.error_code, row.error_class, row.code, row.final_at) == ("30003", "carrier", "REFUSED", at)


def test_words_for_messages_of_two_accounts_move_their_own_only(row):
    other = sending_rig.campaign(1)
    sending_rig.record(*sending_rig.submit(other.sender))
    theirs = OutboundMessage.objects.get(campaign=other)
    record(row, receipt(row, "delivered"), receipt(theirs, "delivered"))
    theirs.refresh_from_db()
    assert (row.state, theirs.state) == ("delivered", "accepted")


def test_a_word_of_acceptance_for_a_message_that_was_given_up_is_told(row, caplog):
    OutboundMessage.objects.update(state="queued")
    assert record(row, receipt(row, "sent")) == "sent"
    assert "accepted_after_given_up" in caplog.text
