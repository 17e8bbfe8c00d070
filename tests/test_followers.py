"""What the ledger writes beside itself: where there is work, and what gateways took."""

import uuid
from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from campaigns.models import MessageInMotion, OutboundMessage, OutboundState, TakenMessage
from tests import sending_rig

pytestmark = pytest.mark.django_db

IN_MOTION = {"queued", "submitting", "unknown", "parked"}
# What changes while a message is on its way.
CHANGING = {
    "state", "due_at", "waiting_for", "code", "body", "encoding", "parts", "verdict", "token", "submit_no",
    "attempts", "deaths", "submitted_at", "gateway_id", "outcome_open", "evidence", "next_lookup_at", "accepted_at",
    "final_at", "error_code", "error_class",
}  # fmt: skip


def differences() -> list[object]:
    """Messages whose followers do not say what they say."""
    held = ("state", "lane_id", "campaign_id", "priority", "due_at", "submitted_at", "next_lookup_at")
    motion = {row[0]: row[1:] for row in MessageInMotion.objects.values_list("message_id", *held)}
    wanted = {
        row[0]: row[1:] for row in OutboundMessage.objects.filter(state__in=IN_MOTION).values_list("id", *held)
    }
    taken = {row[0]: row[1:] for row in TakenMessage.objects.values_list("message_id", "contact_id", "accepted_at")}
    accepted = {
        row[0]: row[1:]
        for row in OutboundMessage.objects.exclude(accepted_at=None).values_list("id", "contact_id", "accepted_at")
    }
    return [
        *(key for key in motion.keys() | wanted.keys() if motion.get(key) != wanted.get(key)),
        *(key for key in accepted if taken.get(key) != accepted[key]),
    ]


def test_a_batch_on_its_way_is_followed_step_by_step():
    campaign = sending_rig.campaign(4)
    assert differences() == []
    assert MessageInMotion.objects.filter(state="queued").count() == 4

    won, work, submitted = sending_rig.submit(campaign.sender)
    assert differences() == []
    assert MessageInMotion.objects.filter(state="submitting").count() == 4

    sending_rig.record(won, work, submitted)
    assert differences() == []
    assert not MessageInMotion.objects.exists()
    assert TakenMessage.objects.exclude(gateway_id="").count() == 4


@pytest.mark.parametrize("state", OutboundState.values)
def test_any_state_written_by_any_statement_is_followed(state):
    first, second = sending_rig.campaign(2).messages.all()
    now = timezone.now()
    OutboundMessage.objects.update(
        state=state, code="X", accepted_at=now, token=first.public_id, submitted_at=now, final_at=now
    )
    assert differences() == []
    second.due_at, second.contact, second.next_lookup_at = now + timedelta(days=1), None, now
    second.save()
    assert differences() == []
    delivered = TakenMessage.objects.exclude(delivered_at=None).count()
    assert delivered == (2 if state == "delivered" else 0)
    first.delete()
    assert differences() == []
    assert not TakenMessage.objects.filter(pk=first.pk).exists()


def test_no_index_of_the_ledger_holds_what_changes_on_a_messages_way():
    indexed: set[str] = set()
    for index in (*OutboundMessage._meta.indexes, *OutboundMessage._meta.constraints):
        if hasattr(index, "fields"):
            indexed |= set(index.fields) | {str(leaf[0]).split("__")[0] for leaf in _leaves(index.condition)}
    indexed |= {field.name for field in OutboundMessage._meta.concrete_fields if field.db_index or field.unique}
    assert not indexed & CHANGING


def _leaves(condition) -> list[tuple[str, object]]:
    children = condition.children if condition is not None else []
    return [leaf for child in children for leaf in (_leaves(child) if hasattr(child, "children") else [child])]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has such updates")
def test_sending_writes_no_index_of_the_ledger():
    campaign = sending_rig.campaign(4)
    before = _updates()
    sending_rig.record(*sending_rig.submit(campaign.sender))
    updated, hot = (now - then for now, then in zip(_updates(), before, strict=True))
    assert (updated, hot) == (8, 8)


def _updates() -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables "
            "WHERE relname = 'campaigns_outboundmessage'"
        )
        return cursor.fetchone()


@pytest.mark.parametrize("column", ["brand_id", "campaign_id", "sender_id", "lane_id", "api_key_id"])
def test_no_message_names_what_is_not_there(column):
    message = sending_rig.campaign(1).messages.get()
    message.pk, message.public_id, message.subscriber_key = None, uuid.uuid4(), "another"
    setattr(message, column, 987_654)
    with pytest.raises(DatabaseError), transaction.atomic():
        message.save(force_insert=True)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.parametrize("table", ["contacts_brand", "campaigns_campaign", "campaigns_sender", "campaigns_lane"])
def test_what_a_message_names_stays(table):
    sending_rig.campaign(1)
    with pytest.raises(IntegrityError, match="it stays"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table}")
