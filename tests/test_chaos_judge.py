"""The judge of the chaos runs reports every violation that is planted in a log, and none where nothing is wrong."""

from collections import Counter

import pytest

from tests.chaos import bite, cases, judge, sources
from tests.chaos.evidence import Evidence, Row

ANA, BEN = "+12122001100", "+12122001101"
SENDER = "+12025552000"
T = 1_000_000.0


def text(word):
    return f"Acme: zebrafish {word}: your order is on its way."


def accepted(reference, *, to=ANA, word="c1", at=T, body=None, parts=1):
    line = {"kind": "accepted", "t": at, "call": 1, "reference": reference, "gateway_id": reference, "to": to}
    return [
        {"kind": "seen", "t": at, "call": 1, "reference": reference, "to": to, "number": 1},
        {**line, "from": SENDER, "body": text(word) if body is None else body, "parts": parts},
    ]


def said(words, *, phone=ANA, at=T, taken=True, key="g1"):
    line = {"kind": "inbound", "from": phone, "to": SENDER, "body": words, "gateway_id": key, "try": 1}
    return {**line, "started": at, "answered": at + 0.1, "status": 200 if taken else 0,
            "taken_at": at + 0.1 if taken else None}  # fmt: skip


def row(reference, *, state="delivered", phone=ANA, campaign="c1", **over):
    fields = {
        "code": "", "kind": "campaign", "purpose": "transactional", "campaign_state": "finished", "sender": SENDER,
        "text": "", "submit_no": 1, "due_at": T, "submitted_at": T, "accepted_at": T, "outcome_open": False,
        "waiting_for": "",
    }  # fmt: skip
    return Row(reference=reference, state=state, phone=phone, campaign=campaign, **{**fields, **over})


def evidence(**over):
    fields = {
        "carrier": [*accepted("a"), *accepted("b", to=BEN)],
        "acts": [{"act": "create", "t": T - 9, "campaign": "c1", "body": body()}],
        "rows": [row("a"), row("b", phone=BEN)],
        "campaigns": {"c1": "finished"},
        "inbound": Counter(), "receipts": Counter(), "suppressed": set(), "contacts": Counter({ANA: 1, BEN: 1}),
        "rates": {SENDER: 100.0}, "scale": 0.1, "is_lookup_exact": True, "read_at": T + 60,
        "people": {"List 1": [ANA, BEN]},
    }  # fmt: skip
    return Evidence(**{**fields, **over})


def body(**over):
    return {"purpose": "transactional", "include": ["List 1"], "sender": SENDER, **over}


def found(**over):
    return [violation.rule for violation in judge.judge(evidence(**over)).violations]


def test_a_clean_run_has_no_violation():
    assert found() == []


def test_one_reference_taken_twice_is_found():
    assert "twice" in found(carrier=[*accepted("a"), *accepted("a", at=T + 5), *accepted("b", to=BEN)])


def test_a_second_submit_that_the_carrier_refused_as_a_duplicate_is_found():
    duplicate = {"kind": "duplicate", "t": T, "reference": "a", "to": ANA}
    assert found(carrier=[*accepted("a"), *accepted("b", to=BEN), duplicate]) == ["twice"]


def test_two_references_of_one_campaign_to_one_phone_are_found():
    carrier = [*accepted("a"), *accepted("b", to=BEN), *accepted("x")]
    assert found(carrier=carrier, rows=[row("a"), row("b", phone=BEN), row("x")]) == ["twice"]


def test_more_answers_than_texts_are_found():
    stop = said("STOP")
    answers = [*accepted("x", body="You are unsubscribed."), *accepted("y", body="You are unsubscribed.")]
    own = [row(name, campaign="", purpose="compliance") for name in ("x", "y")]
    assert "twice" in found(
        carrier=[*accepted("a", at=T - 5), *accepted("b", to=BEN), stop, *answers], suppressed={ANA},
        inbound=Counter(g1=1), rows=[row("a"), row("b", phone=BEN), *own],
    )  # fmt: skip


def stopped(*, calls, start=None):
    """STOP is answered at T + 0.1; `calls` begin at these moments."""
    lines = [said("STOP")]
    if start is not None:
        lines.append(said("START", at=start, key="g2"))
    rows = [row("b", phone=BEN)]
    carrier = [*accepted("b", to=BEN), *lines]
    for position, at in enumerate(calls):
        carrier += accepted(f"a{position}", word=f"m{position}", at=at)
        rows.append(row(f"a{position}", campaign=""))
    return {
        "carrier": carrier, "rows": rows, "inbound": Counter(g1=1, g2=1 if start is not None else 0),
        "suppressed": set() if start is not None else {ANA}, "people": {"List 1": [BEN]},
    }  # fmt: skip


def test_a_call_after_the_answer_to_stop_is_found():
    assert found(**stopped(calls=[T + 0.2])) == ["after_stop"]


def test_a_call_before_the_answer_to_stop_is_none():
    assert found(**stopped(calls=[T + 0.05])) == []


def test_a_call_after_the_persons_own_start_is_none():
    assert found(**stopped(calls=[T + 8], start=T + 5)) == []


def test_a_call_between_stop_and_start_is_found():
    assert found(**stopped(calls=[T + 4], start=T + 5)) == ["after_stop"]


def test_a_call_that_the_way_to_the_carrier_held_is_none():
    case = {"carrier": [said("STOP"), *accepted("a", at=T + 2)], "suppressed": {ANA}, "campaigns": {}}
    begun, later = [row("a", submitted_at=T - 1)], [row("a", submitted_at=T + 1)]
    assert found(**case, rows=begun, inbound=Counter({"g1": 1}), held=6.0) == []
    assert found(**case, rows=begun, inbound=Counter({"g1": 1})) == ["after_stop"]
    assert found(**case, rows=later, inbound=Counter({"g1": 1}), held=6.0) == ["after_stop"]


def test_what_a_call_was_refused_for_does_not_excuse_it():
    case = stopped(calls=[])
    case["carrier"].append({"kind": "seen", "t": T + 3, "call": 9, "reference": "q", "to": ANA, "number": 1})
    case["rows"].append(row("q", campaign="", state="rejected", code="REFUSED"))
    assert found(**case) == ["after_stop"]


def test_the_confirmation_of_stop_is_allowed():
    case = stopped(calls=[])
    case["carrier"] += accepted("x", body="Acme: You are unsubscribed.", at=T + 1)
    case["rows"].append(row("x", campaign="", purpose="compliance"))
    assert found(**case) == []


@pytest.mark.parametrize("state", ["skipped", "cancelled", "rejected"])
def test_what_the_ledger_calls_unsent_and_the_carrier_took_is_found(state):
    assert found(rows=[row("a", state=state, code="X"), row("b", phone=BEN)]) == ["ledger"]


def test_what_the_ledger_calls_sent_and_the_carrier_never_took_is_found():
    assert found(carrier=accepted("a")) == ["ledger"]


def test_what_the_ledger_does_not_know_is_found():
    assert "ledger" in found(carrier=[*accepted("a"), *accepted("b", to=BEN), *accepted("x", word="c9")])


def test_a_parked_message_is_counted_as_sent_or_not():
    verdict = judge.judge(evidence(rows=[row("a", state="parked"), row("b", phone=BEN)]))
    assert (verdict.violations, verdict.figures["parked_sent"], verdict.figures["parked_not_sent"]) == ([], 1, 0)


@pytest.mark.parametrize(
    ("state", "more"),
    [("submitting", {}), ("unknown", {"evidence": "worker_gone"}), ("queued", {"campaign_state": "sending"})],
)
def test_what_is_never_settled_is_found(state, more):
    assert "stuck" in found(rows=[row("a"), row("b", phone=BEN, state=state, **more)], carrier=accepted("a"))


def test_what_a_paused_campaign_keeps_is_not_stuck():
    rows = [row("a"), row("b", phone=BEN, state="queued", campaign_state="paused")]
    assert found(rows=rows, carrier=accepted("a"), campaigns={"c1": "paused"}) == []


def test_a_person_of_a_finished_campaign_without_a_message_is_found():
    assert found(rows=[row("a")], carrier=accepted("a")) == ["lost"]


def test_a_send_that_was_answered_and_is_not_there_is_found():
    answer = {"status": 202, "outcome": "allowed", "id": "msg_ff"}
    acts = [
        {"act": "create", "t": T, "campaign": "c1", "body": body()},
        {"act": "send", "t": T, "word": "m1", "to": ANA, "times": 1},
        {"act": "sent", "t": T, "word": "m1", "to": ANA, "answers": [answer]},
    ]
    assert found(acts=acts) == ["lost"]
    single = row("ff", campaign="", text=text("m1"))
    carrier = [*accepted("a"), *accepted("b", to=BEN), *accepted("ff", word="m1")]
    assert found(acts=acts, carrier=carrier, rows=[row("a"), row("b", phone=BEN), single]) == []


def test_a_text_that_was_answered_and_is_not_there_is_found():
    carrier = [*accepted("a"), *accepted("b", to=BEN), said("Hello", phone=BEN)]
    assert found(carrier=carrier) == ["answered"]
    assert found(carrier=carrier, inbound=Counter(g1=2)) == ["answered"]
    assert found(carrier=carrier, inbound=Counter(g1=1)) == []


def test_a_stop_without_effect_is_found():
    case = stopped(calls=[])
    assert found(**{**case, "suppressed": set()}) == ["answered"]


def test_a_receipt_that_was_answered_and_changed_nothing_is_found():
    receipt = {"kind": "receipt", "t": T, "reference": "a", "gateway_id": "a", "to": ANA, "word": "delivered",
               "status": 200, "try": 1, "started": T, "answered": T}  # fmt: skip
    carrier = [*accepted("a"), *accepted("b", to=BEN), receipt]
    assert found(carrier=carrier, receipts=Counter({("a", "delivered"): 1})) == []
    assert found(carrier=carrier) == ["answered"]
    rows = [row("a", state="sent"), row("b", phone=BEN)]
    assert found(carrier=carrier, rows=rows, receipts=Counter({("a", "delivered"): 1})) == ["answered"]


def test_a_campaign_launched_twice_is_found():
    acts = [
        {"act": "create", "t": T, "campaign": "c1", "body": body()},
        {"act": "launched", "t": T, "campaign": "c1", "statuses": [200, 409, 200]},
    ]
    assert found(acts=acts) == ["answered"]


def test_more_within_a_second_than_is_due_comes_late_and_one_batch_is_found():
    crowd = [f"{n:03}" for n in range(30)]
    carrier = [
        line for n, name in enumerate(crowd) for line in accepted(name, word="c1", to=f"+1212{n}", at=T + n / 40)
    ]
    rows = [row(name, phone=f"+1212{n}") for n, name in enumerate(crowd)]
    case = {"carrier": carrier, "rows": rows, "people": {}}
    assert found(**case, rates={SENDER: 9.0}) == ["rate"]
    assert found(**case, rates={SENDER: 10.0}) == []


def test_a_pace_above_the_rate_for_some_seconds_is_found():
    crowd = [f"{n:03}" for n in range(60)]
    carrier = [
        line for n, name in enumerate(crowd) for line in accepted(name, word="c1", to=f"+1212{n}", at=T + n / 20)
    ]
    rows = [row(name, phone=f"+1212{n}") for n, name in enumerate(crowd)]
    case = {"carrier": carrier, "rows": rows, "people": {}}
    assert found(**case, rates={SENDER: 11.0}) == ["rate"]
    assert found(**case, rates={SENDER: 20.0}) == []


def test_a_call_that_begins_while_suppressions_cannot_be_read_is_found():
    def acts(begin, end):
        return [{"act": "unreadable", "t": begin}, {"act": "readable", "t": end}]

    assert found(acts=acts(T - 1, T + 3), campaigns={}) == ["open", "open"]
    assert found(acts=acts(T - 0.2, T + 3), campaigns={}) == []  # judged just before
    assert found(acts=acts(T - 5, T - 1), campaigns={}) == []


def test_a_deadlock_is_found():
    assert found(deadlocks=1) == ["deadlock"]


def test_two_batches_of_one_lane_in_submitting_are_found():
    assert found(most_submitting={SENDER: 101}) == ["rate"]


def answered(verb, *, at=T):
    return {"act": f"{verb} answered", "t": at, "campaign": "c1", "status": 200}


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_what_leaves_long_after_a_pause_or_cancel_is_found(verb):
    acts = [{"act": "create", "t": T - 9, "campaign": "c1", "body": body()}, answered(verb, at=T - 5)]
    assert found(acts=acts) == ["after_pause", "after_pause"]
    acts[1] = answered(verb, at=T - 1)  # still the batch in hand
    assert found(acts=acts) == []


def test_what_leaves_after_a_resume_is_none():
    acts = [
        {"act": "create", "t": T - 9, "campaign": "c1", "body": body()},
        answered("pause", at=T - 5),
        {"act": "resume", "t": T - 4, "campaign": "c1"},
    ]
    assert found(acts=acts) == []


def test_marketing_in_the_night_is_found():
    acts = [{"act": "create", "t": T, "campaign": "c1", "body": body(purpose="marketing")}]
    assert found(acts=acts, asleep={ANA}) == ["outside_window"]


def test_an_offer_that_has_ended_is_found():
    acts = [{"act": "create", "t": T, "campaign": "c1", "body": body(send_by="1970-01-12T13:46:30Z")}]  # T - 10
    assert found(acts=acts) == ["outside_window", "outside_window"]


def test_texts_numbers_and_secrets_in_logs_are_found(tmp_path):
    log = tmp_path / "host0.log"
    log.write_text("nothing here\n")
    case = {"logs": [log], "phones": {ANA}, "canaries": ["the-api-key"]}
    assert found(**case) == []
    log.write_text(f"could not send {text('c1')}\n to {ANA}\n with the-api-key\n")
    assert found(**case) == ["leak", "leak", "leak"]


def test_recovery_is_the_gap_in_a_campaign_that_was_being_sent():
    carrier = [*accepted("a", at=T), *accepted("b", to=BEN, at=T + 4)]
    acts = [
        {"act": "create", "t": T - 9, "campaign": "c1", "body": body()},
        {"act": "harm", "t": T + 1, "kind": "kill_worker"},
        {"act": "harm", "t": T + 50, "kind": "kill_worker"},  # nothing was being sent any more
    ]
    assert judge.judge(evidence(carrier=carrier, acts=acts)).figures["recovery_p50"] == 3.0


@pytest.mark.parametrize("name", cases.LATER)
def test_every_name_of_the_sweep_stands_in_the_code_once(name):
    code = [path for part in sources.CODE for path in (sources.ROOT / part).rglob("*.py")]
    assert sum(path.read_text().count(f'failpoints.hit("{name}")') for path in code) == 1


# --- Mutants ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sources.names())
def test_every_mutant_fits_the_code_as_it_is(name, tmp_path):
    mutant = sources.read(name)
    assert mutant.says
    for change in mutant.changes:
        source = sources.ROOT / change.path
        target = tmp_path / change.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.exists():
            target.write_text(source.read_text())
    sources.put_in(mutant, tmp_path)
    for change in mutant.changes:
        compile((tmp_path / change.path).read_text(), change.path, "exec")


def test_a_mutant_that_no_longer_fits_is_an_error(tmp_path):
    (tmp_path / "a.py").write_text("one = 1\n")
    mutant = sources.Mutant("M0", "nothing", (sources.Change("a.py", "two = 2\n", "two = 3\n"),))
    with pytest.raises(sources.DoesNotFit):
        sources.put_in(mutant, tmp_path)


def test_every_mutant_is_hunted():
    assert set(bite.HUNTS) == set(sources.names())


def frozen(*, thawed_after, was_alive, place="submit.after_commit"):
    return [
        {"act": "freeze", "t": T, "pid": 7, "place": place},
        {"act": "thaw", "t": T + thawed_after, "pid": 7, "was_alive": was_alive},
    ]


def test_a_worker_that_thaws_with_an_overdue_batch_is_found():
    assert found(acts=frozen(thawed_after=20, was_alive=True), campaigns={}) == ["overdue"]
    assert found(acts=frozen(thawed_after=20, was_alive=False), campaigns={}) == []
    assert found(acts=frozen(thawed_after=4, was_alive=True), campaigns={}) == []
    elsewhere = frozen(thawed_after=20, was_alive=True, place="record.before_commit")
    assert found(acts=elsewhere, campaigns={}) == []


def test_a_supervisor_that_was_killed_meanwhile_is_excused():
    harm = {"act": "harm", "t": T + 1, "kind": "kill_host"}
    assert found(acts=[*frozen(thawed_after=20, was_alive=True), harm], campaigns={}) == []


def test_what_a_deploy_leaves_unknown_is_found_and_a_slow_end():
    rows = [row("a", evidence='{"worker": "here:1:2"}'), row("b", phone=BEN)]
    assert found(rows=rows, is_only_deployed=True) == ["deploy"]
    assert found(rows=rows) == []
    assert found(acts=[{"act": "deployed", "t": T, "host": 0, "seconds": 30.0}], campaigns={}) == ["deploy"]


def test_a_message_that_is_due_in_an_hour_for_no_reason_is_found():
    late = {"state": "queued", "campaign": "", "campaign_state": "", "due_at": T + 3_660}
    assert found(rows=[row("a"), row("b", phone=BEN), row("x", **late)]) == ["stuck"]
    assert found(rows=[row("a"), row("b", phone=BEN), row("x", waiting_for="quiet_hours", **late)]) == []
