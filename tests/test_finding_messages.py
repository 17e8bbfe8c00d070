"""Lists of a ledger that may hold ten million messages: what is asked for is found, and nothing is read whole."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns.admin import messages
from campaigns.models import OutboundMessage, OutboundState
from campaigns.of_state import IN_MOTION, of_state
from smsdesk.models import Scope
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db

LIST = reverse("admin:campaigns_outboundmessage_changelist")
needs_postgres = pytest.mark.skipif(connection.vendor != "postgresql", reason="about PostgreSQL's limits and plans")


def made(state: str, *, days: int = 0, campaign=None) -> OutboundMessage:
    lengths = {"submitting": {"token": "0" * 32, "submitted_at": NOW}, "skipped": {"code": "NO_CONSENT"}}
    told = {"created_at": NOW - timedelta(days=days), **lengths.get(state, {})}
    return factories.outbound(campaign or factories.campaign(), factories.contact(), state=state, **told)


def shown(client, **query) -> list[int]:
    return [row.pk for row in client.get(LIST, query).context["cl"].result_list]


@pytest.mark.parametrize("state", IN_MOTION)
def test_what_is_in_motion_is_found_among_older_and_younger_messages(state):
    older, wanted, another, younger = (
        made(one, days=days) for one, days in (("delivered", 9), (state, 5), (state, 4), ("delivered", 0))
    )
    found = of_state(OutboundMessage.objects.order_by("created_at", "pk"), state)
    assert [row.pk for row in found] == [wanted.pk, another.pk]
    assert not of_state(OutboundMessage.objects.filter(pk__in=[older.pk, younger.pk]), state)


@pytest.mark.parametrize("state", OutboundState.values)
def test_a_state_that_no_message_has_is_an_empty_list(admin_client, state):
    other = made("delivered" if state != "delivered" else "sent")
    assert shown(admin_client, state__exact=state) == []
    assert shown(admin_client) == [other.pk]


def test_a_message_whose_id_is_younger_than_its_time_is_found_too():
    first, second = made("queued"), made("queued")
    OutboundMessage.objects.filter(pk=second.pk).update(created_at=NOW - timedelta(hours=20))
    assert set(of_state(OutboundMessage.objects.all(), "queued")) == {first, second}


def test_filters_without_index_look_among_the_newest_and_say_so(admin_client, monkeypatch):
    monkeypatch.setattr(messages, "NEWEST", 2)
    campaign = factories.campaign()
    rows = [made("delivered", campaign=campaign) for _ in range(4)]
    page = admin_client.get(LIST, {"state__exact": "delivered"})
    assert [row.pk for row in page.context["cl"].result_list] == [rows[3].pk, rows[2].pk]
    assert "newest 2 messages" in page.content.decode()
    assert len(shown(admin_client)) == 4
    assert shown(admin_client, state__exact="delivered", q=rows[0].phone) == [rows[0].pk]
    made("queued", days=3), made("queued", days=2), made("sent"), made("sent"), made("sent")
    assert len(shown(admin_client, state__exact="queued")) == 2


def test_the_choices_of_a_filter_are_not_read_from_the_ledger(admin_client):
    made("delivered")
    with CaptureQueriesContext(connection) as queries:
        assert admin_client.get(LIST, {"error_class": "recipient"}).status_code == 200
    assert not [one for one in queries if "DISTINCT" in one["sql"]]


@needs_postgres
def test_the_messages_of_a_campaign_are_read_in_the_order_of_an_index():
    campaign = factories.campaign()
    made("delivered", campaign=campaign)
    api = factories.api(factories.api_key(scopes=[Scope.MESSAGES_READ, Scope.CAMPAIGNS_READ])[1])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    with CaptureQueriesContext(connection) as queries:
        assert len(api.get("/api/v1/messages/", {"campaign": campaign.ref}).json()["data"]) == 1
    [sql] = [
        one["sql"] for one in queries if "campaigns_outboundmessage" in one["sql"] and "LIMIT 51" in one["sql"]
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "message_paging_of_campaign" in plan
    assert "Sort" not in plan


@needs_postgres
def test_a_migration_may_take_longer_than_any_other_statement(monkeypatch):
    def limit() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            return str(cursor.fetchone()[0])

    before, within = limit(), []
    monkeypatch.setattr(
        "django.core.management.commands.migrate.Command.handle", lambda *_, **__: within.append(limit())
    )
    call_command("migrate", stdout=StringIO())
    assert within == ["0"]
    assert limit() == before != "0"
