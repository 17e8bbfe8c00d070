"""The snapshot in ranges: everybody once and the counts right, whoever is at it, whatever comes in between."""

import threading

import pytest
from django.db import connection

from campaigns import lifecycle, snapshot
from campaigns.models import Campaign, CampaignState, OutboundMessage, SnapshotRange
from smsdesk import clusters, locks
from tests import factories, racing
from tests.factories import NOW

needs_postgres = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer, so one hand")
PEOPLE = 11


def two_hands(test):
    return pytest.mark.postgres(needs_postgres(pytest.mark.django_db(transaction=True)(test)))


@pytest.fixture
def campaign(db, monkeypatch):
    """Of eleven people in ranges of three, about to be prepared."""
    monkeypatch.setattr(snapshot, "RANGE", 3)
    made = factories.campaign(factories.contact_list(*(factories.contact() for _ in range(PEOPLE))))
    lifecycle.launch(made, by=None, now=NOW)
    lifecycle.start_due(now=NOW)
    made.refresh_from_db()
    return made


@pytest.fixture
def beside(monkeypatch):
    """`beside(step)`: do this when the rows of a range are made, and not yet committed."""

    def put(step):
        real = snapshot._insert

        def insert(one, **range_):
            told = real(one, **range_)
            step(one, **range_)
            return told

        monkeypatch.setattr(snapshot, "_insert", insert)

    return put


def is_exact(campaign):
    campaign.refresh_from_db()
    rows = OutboundMessage.objects.filter(campaign=campaign)
    assert rows.values("contact").distinct().count() == rows.count() == PEOPLE
    assert (campaign.audience_size, campaign.duplicates) == (PEOPLE, 0)
    assert campaign.prepared_at is not None
    assert not SnapshotRange.objects.exists()
    return True


@two_hands
def test_two_hands_take_ranges_at_the_same_time(campaign, beside):
    both = threading.Barrier(2)
    hands = set()

    def meet(*_, **__):
        name = threading.current_thread().name
        if name not in hands:
            hands.add(name)
            both.wait(20)

    beside(meet)
    snapshot.take(campaign, now=NOW)
    assert len(hands) == 2
    assert is_exact(campaign)


@two_hands
def test_a_pause_does_not_wait_for_a_range_and_undoes_it(campaign, beside):
    def pause():
        lifecycle.pause(Campaign.objects.get(pk=campaign.pk), by=None, now=NOW)

    errors = []
    beside(lambda *_, **__: errors.extend(racing.at_once(pause)))
    snapshot.cut(campaign, now=NOW)
    assert not snapshot.take_range(campaign, now=NOW)
    assert errors == []
    campaign.refresh_from_db()
    assert (campaign.state, campaign.audience_size) == (CampaignState.PAUSED, 0)
    assert not OutboundMessage.objects.exists()


def test_a_paused_snapshot_goes_on_where_it_stopped(campaign):
    snapshot.cut(campaign, now=NOW)
    snapshot.take_range(campaign, now=NOW)
    lifecycle.pause(campaign, by=None, now=NOW)
    assert not snapshot.take_range(campaign, now=NOW)
    assert not snapshot.cut(campaign, now=NOW)
    lifecycle.resume(campaign, by=None, now=NOW)
    snapshot.take(campaign, now=NOW)
    assert is_exact(campaign)


@two_hands
def test_a_hand_that_fails_leaves_its_range_and_says_so(campaign, beside):
    both = threading.Barrier(2)
    hands = set()

    def break_off(*_, **__):
        if threading.current_thread() not in hands:
            hands.add(threading.current_thread())
            both.wait(20)
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("its connection was cut")

    beside(break_off)
    with pytest.raises(RuntimeError, match="cut"):
        snapshot.take(campaign, now=NOW)
    campaign.refresh_from_db()
    assert campaign.prepared_at is None
    snapshot.take(campaign, now=NOW)
    assert is_exact(campaign)


@two_hands
def test_the_last_range_of_somebody_else_is_waited_for(campaign, beside):
    """A range in other hands is nobody else's, and while it is in them the campaign is not prepared."""
    taken = []

    def meanwhile(*_, **__):
        if not taken:
            taken.append(True)
            assert racing.at_once(lambda: snapshot.take(campaign, now=NOW)) == []
            taken.append(OutboundMessage.objects.count())
            taken.append(Campaign.objects.get(pk=campaign.pk).prepared_at)

    beside(meanwhile)
    snapshot.cut(campaign, now=NOW)
    assert snapshot.take_range(campaign, now=NOW)
    assert taken == [True, PEOPLE, None]  # its own three are in sight of its own transaction
    assert not snapshot.cut(campaign, now=NOW)
    assert is_exact(campaign)


@two_hands
def test_a_range_in_somebodys_hands_holds_up_no_sweep(campaign, beside):
    def cancel():
        lifecycle.cancel(Campaign.objects.get(pk=campaign.pk), by=None, now=NOW)
        lifecycle.sweep_cancelled(now=NOW)

    errors = []
    beside(lambda *_, **__: errors.extend(racing.at_once(cancel)))
    snapshot.cut(campaign, now=NOW)
    assert not snapshot.take_range(campaign, now=NOW)
    assert errors == []
    assert SnapshotRange.objects.count() == 1
    lifecycle.sweep_cancelled(now=NOW)
    assert not SnapshotRange.objects.exists()


@two_hands
def test_who_has_a_snapshot_and_is_frozen_loses_it(campaign):
    """The database ends a connection that holds the lock and asks nothing."""
    with locks.only_here(snapshot._WORK, campaign.pk), connection.cursor() as cursor:
        cursor.execute("SHOW idle_session_timeout")
        assert cursor.fetchone() == ("30s",)
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_session_timeout")
        assert cursor.fetchone() == ("0",)
        cursor.execute("SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        assert cursor.fetchone() == (0,)


@two_hands
def test_one_process_takes_a_snapshot_and_the_others_have_more_to_do(campaign):
    with locks.only_here(snapshot._WORK, campaign.pk) as is_mine:
        assert is_mine
        assert racing.at_once(lambda: snapshot.take(campaign, now=NOW)) == []
    assert not OutboundMessage.objects.exists()
    snapshot.take(campaign, now=NOW)
    assert is_exact(campaign)


def test_a_cluster_that_is_to_stop_leaves_the_rest_to_the_next(campaign, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(clusters, "is_stopping", lambda: OutboundMessage.objects.count() >= 6)
        snapshot.take(campaign, now=NOW)
    assert OutboundMessage.objects.count() == 6
    assert not lifecycle.begin_sending(campaign, now=NOW)
    snapshot.take(campaign, now=NOW)
    assert is_exact(campaign)


def test_a_snapshot_that_an_earlier_version_began_goes_on(campaign):
    """It moved the campaign's place with each range, and cut none."""
    snapshot.cut(campaign, now=NOW)
    snapshot.take_range(campaign, now=NOW)
    first = SnapshotRange.objects.earliest("low")
    SnapshotRange.objects.all().delete()
    Campaign.objects.update(prepared_through=first.low, cut_through=None)
    snapshot.take(campaign, now=NOW)
    assert is_exact(campaign)


def test_what_is_left_of_a_cancelled_snapshot_goes_with_its_rows(campaign):
    snapshot.cut(campaign, now=NOW)
    snapshot.take_range(campaign, now=NOW)
    lifecycle.sweep_cancelled(now=NOW)
    assert SnapshotRange.objects.count() == 3
    lifecycle.cancel(campaign, by=None, now=NOW)
    assert lifecycle.sweep_cancelled(now=NOW) == 3
    assert not SnapshotRange.objects.exists()
    assert set(OutboundMessage.objects.values_list("state", flat=True)) == {"cancelled"}


def test_a_worker_of_an_earlier_version_does_not_take_cut_for_made(campaign):
    """It begins at its own place, and says that a campaign is prepared where nobody is left beyond that."""
    snapshot.cut(campaign, now=NOW)
    campaign.refresh_from_db()
    assert campaign.prepared_through == 0
    assert campaign.cut_through
