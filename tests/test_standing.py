"""The fold over a phone's events: order of arrival is nothing, and nobody is active after STOP unasked."""

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from contacts import standing
from contacts.models import Basis, ConsentEvent, ConsentSource, EventKind

START = datetime(2026, 1, 1, tzinfo=UTC)
OWN_ACTS = {"text", "web_form"}

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
