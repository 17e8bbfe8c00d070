"""Opens the list of contacts as people search it, whole pages; prints seconds of each as JSON, best of three."""

import json
import time

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402

from contacts.models import Contact, ContactList  # noqa: E402
from tests.benchmarks.contacts import raw  # noqa: E402
from tests.benchmarks.gauge import peak_mb  # noqa: E402


def main() -> None:
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(User.objects.create(username="clerk", is_staff=True, is_superuser=True))
    someone = Contact.objects.order_by("pk")[Contact.objects.count() // 2]
    few = ContactList.objects.get(name="Twentieth").pk
    pages: dict[str, dict[str, object]] = {
        "first page": {},
        "a frequent first name": {"q": "ana"},
        "a full name": {"q": "zoe zieg"},
        "a name nobody has": {"q": "xaver qu"},
        "a whole number": {"q": someone.phone},
        "the beginning of a number": {"q": someone.phone[:7]},
        "an external id": {"q": "CRM-1"},
        "a small country": {"country": "CA"},
        "a list": {"lists__id__exact": few},
        "a name on a list": {"q": "ana", "lists__id__exact": few},
    }
    found, address = {}, reverse("admin:contacts_contact_changelist")
    for name, query in pages.items():
        seconds = []
        for _ in range(4):  # the first one warms up
            begun = time.monotonic()
            assert client.get(address, query).status_code == 200
            seconds.append(time.monotonic() - begun)
        found[name] = round(min(seconds), 3)
    lookup = raw.best_seconds(f"SELECT * FROM contacts_contact WHERE subscriber_key = '{someone.subscriber_key}'")
    print(json.dumps({**found, "peak_mb": peak_mb(), "raw": "one lookup by key", "raw_seconds": round(lookup, 5),
                      "slowest": max(found.values())}))  # fmt: skip


if __name__ == "__main__":
    main()
