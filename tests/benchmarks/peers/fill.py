"""Writes the rows of a peer and fills its queue: `python -m tests.benchmarks.peers.fill celery 20000`."""

import json
import sys
import time

import django

django.setup()

from post_office import mail  # noqa: E402

from tests.benchmarks.peers import carrier, celery_app, post_office_backend  # noqa: E402
from tests.benchmarks.peers.models import Text  # noqa: E402

PIECE = 1_000


def number(index: int) -> str:
    return f"+1212{2_001_100 + index // 900 * 1000 + index % 900}"


def body(index: int) -> str:
    return f"Acme: Hi Ana {index % 10_000}, 20% off until Sunday. Reply STOP to opt out."


def celery(start: int, size: int) -> None:
    texts = [Text(phone=number(n), body=body(n)) for n in range(start, start + size)]
    for text in Text.objects.bulk_create(texts):
        celery_app.send_text.delay(text.pk)


def post_office(start: int, size: int) -> None:
    mail.send_many(
        [
            {
                "recipients": f"{number(n)}@{post_office_backend.DOMAIN}",
                "sender": f"{carrier.SENDER}@{post_office_backend.DOMAIN}",
                "message": body(n),
                "headers": {"X-Reference": str(n)},
            }
            for n in range(start, start + size)
        ]
    )


def main(peer: str, count: int) -> None:
    fill = {"celery": celery, "post_office": post_office}[peer]
    begun = time.time()
    for start in range(0, count, PIECE):
        fill(start, min(PIECE, count - start))
    print(json.dumps({"begun": begun, "filled": time.time()}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
