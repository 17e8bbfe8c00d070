"""Counts what receipts have left in a desk's database; prints it as JSON."""

import json

import django

django.setup()

from campaigns.models import DeliveryEvent, OutboundMessage  # noqa: E402
from contacts.models import Suppression  # noqa: E402
from inbound.models import InboundMessage  # noqa: E402

print(
    json.dumps(
        {
            "events": DeliveryEvent.objects.exclude(message=None).count(),
            "orphans": DeliveryEvent.objects.filter(message=None).count(),
            "texts": InboundMessage.objects.count(),
            "suppressed": Suppression.objects.count(),
            "delivered": OutboundMessage.objects.filter(state="delivered").count(),
        }
    )
)
