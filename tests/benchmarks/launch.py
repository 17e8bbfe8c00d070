"""Launches a campaign in a desk that runs and waits until it is finished; prints the times it saw as JSON."""

import json
import sys
import time

import django

django.setup()

from django.db import connection, transaction  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402

from campaigns import batch, lanes, lifecycle  # noqa: E402
from campaigns.models import Campaign, CampaignState, OutboundMessage  # noqa: E402
from tests.benchmarks import gauge  # noqa: E402


def main(campaign_id: int, messages: int) -> None:
    campaign = Campaign.objects.get(pk=campaign_id)
    times = {"launched": time.time()}
    lifecycle.launch(campaign, by=None, now=timezone.now())
    _until(campaign, lambda: campaign.state != CampaignState.SCHEDULED)
    times["preparing"] = time.time()
    _until(campaign, lambda: campaign.prepared_at is not None)
    times["prepared"] = time.time()
    database = gauge.Backend()
    _until(campaign, lambda: campaign.state == CampaignState.FINISHED)
    times["database_cpu_seconds"] = database.cpu_seconds()
    # The pulse looks for finished campaigns every two seconds: the last recorded row is the end of the sending.
    last = OutboundMessage.objects.filter(campaign=campaign).order_by("-accepted_at").first()
    times["finished"] = last.accepted_at.timestamp() if last and last.accepted_at else time.time()
    times["queries_per_message"] = _queries(campaign)
    print(json.dumps(times))


def _until(campaign: Campaign, check) -> None:
    while not check():
        time.sleep(0.05)
        campaign.refresh_from_db()


def _queries(campaign: Campaign) -> float:
    """Statements of one full batch of the send path, divided by its rows: the campaign's last 200 once more."""
    ids = list(OutboundMessage.objects.filter(campaign=campaign).values_list("pk", flat=True)[:200])
    lane = campaign.sender.lanes.first()
    # The lane first: the cluster still runs, and what is queued on a free lane it would send.
    with CaptureQueriesContext(connection) as winning:
        won = lanes.win([lane.pk])
    while not won:
        time.sleep(0.05)
        with CaptureQueriesContext(connection) as winning:
            won = lanes.win([lane.pk])
    with transaction.atomic():  # else the cluster's pulse may find that nothing is left of it
        Campaign.objects.filter(pk=campaign.pk).update(state=CampaignState.SENDING)
        OutboundMessage.objects.filter(pk__in=ids).update(state="queued", lane=lane)
    with CaptureQueriesContext(connection) as captured:
        work = batch.read(won)
        batch.submit(work)
    # Recording is one more transaction: hand back, clock, update, and its BEGIN and COMMIT.
    OutboundMessage.objects.filter(pk__in=ids).update(state="accepted", token=None)
    Campaign.objects.filter(pk=campaign.pk).update(state=CampaignState.FINISHED)
    return round((len(winning) + len(captured) + 5) / len(work.rows), 3)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
