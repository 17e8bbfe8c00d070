"""Outcomes nobody knows: what a gateway can prove decides, and no machine sends on a word that proves nothing."""

import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import batch, lanes, reaping, reconciling, uncertainty
from campaigns.models import GatewayAccount, Lane, OutboundMessage, OutboundState
from contacts.models import Purpose
from smsdesk.gateways import errors, infobip, registry, twilio
from smsdesk.gateways.contract import Capabilities
from tests import factories, racing, sending_rig

NOW = factories.NOW
A = Capabilities(tier="A", idempotency_ttl=timedelta(hours=1))
B, C = infobip.Infobip.capabilities, twilio.Twilio.capabilities
D = Capabilities()
M, T, V, S = Purpose.MARKETING, Purpose.TRANSACTIONAL, Purpose.CONVERSATIONAL, Purpose.COMPLIANCE
ALL = (M, T, V, S)


def row(purpose: Purpose, *, age: float, **over) -> OutboundMessage:
    values = {
        "submit_no": 1,
        "submitted_at": NOW - timedelta(seconds=age),
        "state": "unknown",
        "evidence": {"worker_gone": True},
        **over,
    }
    return OutboundMessage(purpose=purpose, **values)


def step(purpose: Purpose, can: Capabilities, *, age: float, **over) -> tuple[str, str]:
    was_asked = over.pop("was_asked", can.lookup != "none")
    taken = uncertainty.next_step(row(purpose, age=age, **over), can=can, was_asked=was_asked, now=NOW)
    return taken.state.value, taken.code


# --- the policy, tier by tier -------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", [M, T, V])
def test_a_gateway_that_knows_our_key_is_given_the_message_again_at_once_until_half_its_time(purpose):
    taken = uncertainty.next_step(row(purpose, age=1), can=A, was_asked=False, now=NOW)
    assert (taken.state, taken.open_until) == ("queued", NOW + timedelta(seconds=1799))
    assert step(purpose, A, age=1801)[0] != "queued"


def test_the_key_counts_from_the_first_try_not_from_the_last():
    assert step(M, A, age=1, open_until=NOW)[0] == "unknown"
    assert step(M, A, age=1, open_until=NOW + timedelta(seconds=1))[0] == "queued"


@pytest.mark.parametrize("purpose", [M, T, V])
def test_never_seen_sends_again_after_the_grace_where_the_lookup_is_exact(purpose):
    assert step(purpose, B, age=59) == ("unknown", "")
    assert step(purpose, B, age=61) == ("queued", "")


def test_the_delay_until_a_gateway_shows_a_message_is_added_to_the_grace():
    slow = Capabilities(tier="B", lookup="exact", see_all_delay=timedelta(seconds=30))
    assert step(M, slow, age=61) == ("unknown", "")
    assert step(M, slow, age=91) == ("queued", "")


def test_a_lookup_that_could_not_be_asked_is_no_never_seen():
    assert step(M, B, age=61, was_asked=False) == ("unknown", "")


@pytest.mark.parametrize("purpose", ALL)
@pytest.mark.parametrize("can", [C, D])
def test_without_proof_of_absence_no_machine_sends_again_whatever_the_purpose_and_age(purpose, can):
    for age in (1, 61, 130, 1_000, 90_000, 1_000_000):
        assert step(purpose, can, age=age)[0] in ("unknown", "parked")


@pytest.mark.parametrize(("purpose", "seconds"), [(M, 86_400), (T, 120), (V, 120), (S, 120)])
def test_a_receipt_is_waited_for_as_long_as_the_purpose_allows(purpose, seconds):
    assert step(purpose, C, age=seconds - 1) == ("unknown", "")
    assert step(purpose, C, age=seconds) == ("parked", "NO_PROOF")


def test_an_offer_that_has_ended_is_waited_for_no_longer():
    assert step(M, C, age=60, send_by=NOW) == ("parked", "NO_PROOF")
    assert step(M, C, age=60, send_by=NOW + timedelta(seconds=1)) == ("unknown", "")


@pytest.mark.parametrize("purpose", ALL)
def test_where_nothing_will_ever_tell_it_is_parked_at_once(purpose):
    assert step(purpose, D, age=0) == ("parked", "NO_PROOF")


@pytest.mark.parametrize("can", [A, B])
def test_an_answer_to_stop_is_tried_once(can):
    assert step(S, can, age=61)[0] != "queued"
    assert step(S, B, age=61) == ("parked", "NOT_SEEN")


@pytest.mark.parametrize("can", [A, B])
def test_a_machine_tries_three_times_at_most(can):
    assert step(M, can, age=61, submit_no=2)[0] == "queued"
    assert step(M, can, age=61, submit_no=3)[0] != "queued"


@pytest.mark.parametrize("evidence", [{"nothing_written": True}, {"not_taken": "429"}])
@pytest.mark.parametrize("can", [B, C, D])
def test_a_late_word_that_it_was_surely_not_taken_counts_on_every_tier(evidence, can):
    assert step(T, can, age=1, evidence=evidence)[0] == "queued"


def test_lookups_begin_at_once_and_grow_rare():
    waits = []
    for looks in range(9):
        asked = row(M, age=130, evidence={"lookups": looks})
        taken = uncertainty.next_step(asked, can=C, was_asked=True, now=NOW)
        assert taken.look_at is not None
        waits.append((taken.look_at - NOW).total_seconds())
    assert waits == [5, 15, 30, 60, 120, 240, 480, 600, 600]


@pytest.mark.parametrize("gateway", registry.GATEWAYS.values())
def test_what_an_adapter_declares_of_its_tier_fits(gateway):
    can = gateway.capabilities
    assert (can.tier == "A") == (can.idempotency_ttl is not None)
    assert can.tier != "B" or can.lookup == "exact"
    assert can.tier != "D" or can.lookup == "none"


# --- through the ledger -------------------------------------------------------------------------------


@pytest.fixture
def keyed(monkeypatch):
    """A gateway with idempotency keys and no lookup, as none is yet."""

    class Keyed(infobip.Infobip):
        kind = "keyed"
        capabilities = A

    monkeypatch.setitem(registry.GATEWAYS, "keyed", Keyed)
    return factories.sender(account=factories.account(kind="keyed"))


def lost(campaign):
    """Submitted, and its answer got lost."""
    sending_rig.free(campaign.sender)
    tried = sending_rig.submit(campaign.sender)
    if tried[2] is not None:
        sending_rig.record(*tried, outcome="unknown", error=errors.OutcomeUnknown("timeout", "no answer"))
    return tried


def message() -> OutboundMessage:
    return OutboundMessage.objects.get()


@pytest.mark.django_db
def test_under_a_key_it_goes_again_and_stays_open_until_it_is_answered(keyed):
    campaign = sending_rig.campaign(1, sender=keyed)
    lost(campaign)
    reconciling.reconcile()
    assert (message().state, message().outcome_open) == ("queued", True)
    until = message().open_until
    lost(campaign)
    reconciling.reconcile()
    assert (message().state, message().submit_no, message().open_until) == ("queued", 2, until)
    sending_rig.free(campaign.sender)
    sending_rig.record(*sending_rig.submit(campaign.sender))
    assert (message().state, message().submit_no) == ("accepted", 3)


@pytest.mark.django_db
def test_a_key_that_has_run_out_while_it_waited_keeps_it_from_going_and_parks_it(keyed):
    campaign = sending_rig.campaign(1, sender=keyed)
    lost(campaign)
    reconciling.reconcile()
    sending_rig.free(campaign.sender)
    work = batch.read(sending_rig.win(campaign.sender))
    OutboundMessage.objects.update(open_until=timezone.now())

    assert batch.submit(work) is None

    assert (message().state, message().code) == ("parked", "NO_PROOF")


@pytest.mark.django_db
def test_a_late_refusal_ends_the_row_and_a_late_throttle_frees_it():
    campaign = sending_rig.campaign(1)
    tried = sending_rig.submit(campaign.sender)
    OutboundMessage.objects.update(state=OutboundState.UNKNOWN, evidence={"worker": "here:1:2"})
    sending_rig.record(*tried, outcome="again", error=errors.Throttled("429", "slow down"))
    assert message().evidence == {"worker": "here:1:2", "not_taken": "429"}
    reconciling.reconcile()
    assert message().state == "queued"

    sending_rig.free(campaign.sender)
    tried = sending_rig.submit(campaign.sender)
    OutboundMessage.objects.update(state=OutboundState.PARKED)
    sending_rig.record(*tried, outcome="rejected", error=errors.ContentBlocked("30007", "filtered"))
    assert (message().state, message().code, message().error_code) == ("rejected", "REFUSED", "30007")


@pytest.mark.django_db
def test_a_late_refusal_of_a_second_try_says_nothing_about_the_first(keyed):
    campaign = sending_rig.campaign(1, sender=keyed)
    lost(campaign)
    reconciling.reconcile()
    sending_rig.free(campaign.sender)
    tried = sending_rig.submit(campaign.sender)
    OutboundMessage.objects.update(state=OutboundState.UNKNOWN)
    sending_rig.record(*tried, outcome="rejected", error=errors.ContentBlocked("30007", "filtered"))
    assert message().state == "unknown"


@pytest.mark.django_db
def test_the_evidence_names_the_worker_that_had_it_in_hand():
    campaign = sending_rig.campaign(1)
    sending_rig.submit(campaign.sender)
    Lane.objects.update(holder="here:1:2")
    OutboundMessage.objects.update(submitted_at=timezone.now() - timedelta(seconds=31))
    reaping.reap()
    assert message().evidence == {"worker": "here:1:2"}


# --- asking no more often than allowed ----------------------------------------------------------------


class Logs(BaseHTTPRequestHandler):
    """A gateway's log that holds nothing."""

    def do_GET(self) -> None:
        body = json.dumps({"results": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.server.asked.append(self.path)  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def logs():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Logs)
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def lost_many(logs, *, people: int) -> None:
    sender = factories.sender(account=factories.account(base_url=f"http://127.0.0.1:{logs.server_port}"))
    campaign = sending_rig.campaign(people, sender=sender)
    lost(campaign)
    assert set(sending_rig.states(campaign)) == {"unknown"}


def due() -> None:
    OutboundMessage.objects.update(next_lookup_at=sending_rig.LONG_AGO)


@pytest.mark.django_db
def test_many_messages_are_asked_for_in_one_request_and_the_next_waits_its_turn(logs):
    lost_many(logs, people=60)
    reconciling.reconcile()
    assert len(logs.asked) == 2
    free_at = GatewayAccount.objects.get().next_lookup_at
    assert 0.5 < (free_at - timezone.now()).total_seconds() <= 1.1
    due()
    reconciling.reconcile()
    assert len(logs.asked) == 2
    assert {e["lookups"] for e in OutboundMessage.objects.values_list("evidence", flat=True)} == {1}
    GatewayAccount.objects.update(next_lookup_at=timezone.now())
    due()
    reconciling.reconcile()
    assert len(logs.asked) == 4


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one write at a time")
@pytest.mark.django_db(transaction=True)
def test_two_reconcilers_at_the_same_moment_share_one_turn():
    account = factories.account()
    turns: list[bool] = []
    can = registry.capabilities(account.kind)
    jobs = [lambda: turns.append(reconciling._may_ask(account, can=can, requests=4))] * 4
    assert racing.at_once(*jobs) == []
    assert sorted(turns) == [False, False, False, True]


@pytest.mark.django_db
def test_a_page_of_outcomes_is_settled_in_a_handful_of_statements(logs, django_assert_max_num_queries):
    lost_many(logs, people=60)
    with django_assert_max_num_queries(20):
        reconciling.reconcile()
    assert lanes.candidates() == []
