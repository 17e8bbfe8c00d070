"""Counts the waterfall of a campaign to everybody, in the slices a page takes; prints the figures as JSON."""

import json

import django

django.setup()

from django.utils import timezone  # noqa: E402

from campaigns import eligibility, views, waterfall  # noqa: E402
from campaigns.models import Campaign, Sender  # noqa: E402
from contacts.models import ContactList  # noqa: E402
from tests.benchmarks.contacts import crowd, raw  # noqa: E402
from tests.benchmarks.gauge import Taken  # noqa: E402


def main() -> None:
    sender, now = Sender.objects.get(), timezone.now().replace(hour=17)
    campaign = Campaign.objects.create(
        name="Next", brand=sender.brand, sender=sender, purpose="marketing", body=crowd.BODY
    )
    campaign.include.set([ContactList.objects.get(name="Everybody")])
    taken, slices = Taken(), 0
    tally = waterfall.begin(campaign, now=now)
    while not tally.is_done:
        waterfall.advance(tally, campaign, now=now, seconds=views.SECONDS_AT_ONCE)
        slices += 1
    figures = taken.figures(tally.examined)
    limit = raw.read_seconds(", ".join(eligibility.PERSON_FIELDS))
    print(json.dumps({**figures, "slices": slices, "reasons": len(tally.blocked) + len(tally.waiting) + 1,
                      "raw": "COPY … TO of the same rows", "raw_seconds": round(limit, 3),
                      "ratio": round(limit / figures["seconds"], 3)}))  # fmt: skip


if __name__ == "__main__":
    main()
