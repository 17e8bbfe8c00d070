"""The fold over a phone's events: order of arrival is nothing, and nobody is active after STOP unasked."""

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from contacts import standing
from contacts.models import Basis, ConsentEvent, ConsentSource, EventKind

START = datetime(2026, 1, 1, tzinfo=UTC)
OWN_ACTS = {"text", "link"}

events = st.builds(
    ConsentEvent,
    subscriber_key=st.just("1key"),
    brand_id=st.sampled_from([1, 1, 1, 2, None]),
    purposes=st.sampled_from([["marketing"], ["transactional"], ["marketing", "transactional"], ["*"]]),
    kind=st.sampled_from(
        ["opt_in", "opt_in", "import", "opt_out", "lift", "confirm", "expire", "clarify", "erase"]
    ),
    basis=st.sampled_from(Basis.values),
    occurred_at=st.integers(0, 6).map(lambda day: START + timedelta(days=day)),
    source=st.sampled_from(ConsentSource.values),
    is_proven=st.booleans(),
)
histories = st.lists(events, max_size=9).map(lambda made: [_numbered(e, n) for n, e in enumerate(made, 1)])


def _numbered(event, number):
    event.id = event.seq = number
    if event.kind in ("opt_in", "import", "confirm") and (event.purposes == ["*"] or event.brand_id is None):
        event.purposes, event.brand_id = ["marketing"], 1  # consent names its brand and purposes
    if event.kind in ("lift", "clarify"):
        event.source = "text"
    if event.kind == "import":
        event.source = "import"
    return event


def _seen(state):
    agreements = {key: (a.event.seq, a.is_active, a.is_confirmed) for key, a in state.agreements.items()}
    return agreements, {scope: cause.seq for scope, cause in state.suppressions.items()}


@given(histories, st.integers())
def test_the_order_in_which_events_are_given_is_nothing(history, seed):
    shuffled = random.Random(seed).sample(history, len(history))
    assert _seen(standing.fold(shuffled)) == _seen(standing.fold(history))


@given(histories)
def test_nobody_is_active_after_a_stop_without_a_later_act_of_their_own(history):
    state = standing.fold(history)
    for (brand_id, purpose), agreement in state.agreements.items():
        stops = [
            event.occurred_at
            for event in history
            if event.kind in ("opt_out", "erase")
            and event.brand_id in (None, brand_id)
            and {"*", purpose} & set(event.purposes)
        ]
        returns = [
            event.occurred_at
            for event in history
            if event.kind in ("opt_in", "lift", "clarify")
            and event.source in OWN_ACTS
            and event.brand_id in (None, brand_id)
        ]
        if stops and agreement.is_active:
            assert any(came_back > max(stops) for came_back in returns)


@given(histories)
def test_what_is_suppressed_is_never_active(history):
    state = standing.fold(history)
    assert not [key for key, agreement in state.agreements.items() if agreement.is_active and state.covers(*key)]


@given(histories)
def test_a_complaint_stands_for_good(history):
    state = standing.fold(history)
    for event in history:
        if event.kind == EventKind.OPT_OUT and not ConsentSource(event.source).is_lifted_by_own_act:
            assert all((event.brand_id, purpose) in state.suppressions for purpose in event.purposes)


@given(histories, st.sets(st.integers(0, 8), max_size=3), st.integers(0, 7))
def test_taking_back_a_claim_only_lowers_and_lifts_nothing(history, claims, day):
    taken = _with_claims_taken_back(history, claims, day)

    before, after = standing.fold(history), standing.fold([*history, *taken])

    assert {scope: cause.seq for scope, cause in after.suppressions.items()} == {
        scope: cause.seq for scope, cause in before.suppressions.items()
    }
    assert after.agreements.keys() == before.agreements.keys()
    for key, agreement in after.agreements.items():
        assert before.agreements[key].is_active or not agreement.is_active


@given(histories, st.sets(st.integers(0, 8), max_size=3), st.integers(0, 7))
def test_consent_given_elsewhere_survives_a_claim_that_is_taken_back(history, claims, day):
    taken = _with_claims_taken_back(history, claims, day)
    elsewhere = standing.fold([event for event in history if event.kind != "import"])
    before, after = standing.fold(history), standing.fold([*history, *taken])

    if len(taken) == sum(event.kind == "import" for event in history):
        for key, agreement in elsewhere.agreements.items():
            if agreement.is_active and before.agreements[key].is_active:
                assert after.agreements[key].is_active


def _with_claims_taken_back(history, claims, day):
    """Marks the imports of the history, and makes the events that take those at the places `claims` back."""
    taken = []
    for place, event in enumerate(history):
        if event.kind == "import":
            event.actor = f"imp_{place}"
            if place in claims:
                at = START + timedelta(days=day)
                number = len(history) + len(taken) + 1
                taken.append(
                    ConsentEvent(
                        id=number, seq=number, subscriber_key="1key", brand_id=event.brand_id, kind="retract",
                        purposes=event.purposes, occurred_at=at, source="import", actor=event.actor,
                    )
                )  # fmt: skip
    return taken


def test_a_claim_taken_back_leaves_the_weaker_consent_that_was_there_before():
    joined = _event(1, "opt_in", day=0, basis="express", source="web_form")
    claimed = _event(2, "import", day=1, basis="express_written", source="import", actor="imp_a", is_proven=True)
    undone = _event(3, "retract", day=2, source="import", actor="imp_a")

    [agreement] = standing.fold([joined, claimed, undone]).agreements.values()

    assert (agreement.event.seq, agreement.is_active) == (1, True)


def test_what_a_claim_had_covered_up_does_not_come_alive_when_it_is_taken_back():
    ran_out = START + timedelta(days=2)
    joined = _event(1, "opt_in", day=0, basis="express_written", source="paper", is_proven=True, expires_at=ran_out)
    claimed = _event(2, "import", day=3, basis="inferred", source="import", actor="imp_a")
    stop = _event(3, "opt_out", day=4, source="text")
    start = _event(4, "lift", day=5, source="text")
    undone = _event(5, "retract", day=6, source="import", actor="imp_a")

    [agreement] = standing.fold([joined, claimed, stop, start, undone]).agreements.values()

    assert not agreement.is_active


def test_a_stop_goes_on_for_a_brand_whose_only_claim_was_taken_back():
    stop = _event(1, "opt_out", day=0, brand_id=None, purposes=["*"], source="text")
    claimed = _event(2, "import", day=1, brand_id=2, basis="express", source="import", actor="imp_a")
    start = _event(3, "lift", day=2, purposes=["*"], source="text")
    undone = _event(4, "retract", day=3, brand_id=2, source="import", actor="imp_a")

    assert standing.fold([stop, claimed, start, undone]).covers(2, "marketing")


def _event(number, kind, *, day, **over):
    values = {"brand_id": 1, "purposes": ["marketing"], **over}
    return ConsentEvent(
        id=number, seq=number, subscriber_key="1key", kind=kind, occurred_at=START + timedelta(days=day), **values
    )
