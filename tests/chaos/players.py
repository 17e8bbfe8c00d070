"""Who plays on the stage of the sweep: workers, a web process, people who press Send, each in a fork of its own.

In a desk's environment.
"""

import contextlib
import os
import signal
import socket
import socketserver
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import django

django.setup()

import time_machine  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connections  # noqa: E402
from django.utils import timezone  # noqa: E402

from campaigns import draining, lanes, lifecycle, sending  # noqa: E402
from campaigns.models import (  # noqa: E402
    Campaign,
    CampaignState,
    GatewayAccount,
    MessageKind,
    Priority,
    Sender,
)
from contacts import importing  # noqa: E402
from contacts.models import Brand, Contact, ContactImport, ContactList, ListMembership, Purpose  # noqa: E402
from smsdesk import failpoints, phones  # noqa: E402
from smsdesk.errors import WrongState  # noqa: E402
from tests.benchmarks.people import noon, number  # noqa: E402
from tests.chaos import acts, seed  # noqa: E402
from tests.chaos.driver import CANARY, ORDER, together  # noqa: E402

PEOPLE = 60
RATE = 20.0
PRESSES = 3  # at once, of Send


@dataclass(slots=True)
class Stage:
    """What the cases of one stage share: brand, account, consent; and the next free number."""

    folder: Path
    carrier_port: int
    web_port: int
    listening: socket.socket
    journal: acts.Journal
    brand: Brand
    account: GatewayAccount
    event: Any
    next_number: int
    children: dict[int, Callable[[], None]] = field(default_factory=dict)
    spec: str = ""
    cases: int = 0


# --- Processes --------------------------------------------------------------------------------------------


def fork(stage: Stage, life: Callable[[], None]) -> int:
    connections.close_all()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            life()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    stage.children[pid] = life
    return pid


def tend(stage: Stage) -> None:
    """Whoever died is followed by another, as a cluster and gunicorn do."""
    for pid, life in list(stage.children.items()):
        if os.waitpid(pid, os.WNOHANG)[0]:
            del stage.children[pid]
            fork(stage, life)


def clear(stage: Stage) -> None:
    for pid in stage.children:
        os.kill(pid, signal.SIGKILL)
    for pid in stage.children:
        os.waitpid(pid, 0)
    stage.children.clear()


def work(spec: str, journal: Path, *, ahead: timedelta | None = None) -> None:
    """A worker that sends for ever; `ahead`: its own clock is wrong by so much, and it does one thing at a time."""
    failpoints.arm(spec, journal=journal)
    if ahead:
        settings.SENDING_THREADS = 1
    with time_machine.travel(timezone.now() + ahead, tick=True) if ahead else contextlib.nullcontext():
        while True:
            draining.drain(seconds=5.0, relieve=lambda: False)


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def finish_request(self, request: Any, client_address: Any) -> None:
        try:
            super().finish_request(request, client_address)
        finally:
            connections.close_all()


class _Quiet(WSGIRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        return


def serve(stage: Stage, spec: str, journal: Path) -> None:
    failpoints.arm(spec, journal=journal)
    server = _Server(("127.0.0.1", stage.web_port), _Quiet, bind_and_activate=False)
    server.socket = stage.listening
    server.server_name, server.server_port = "127.0.0.1", stage.web_port
    server.setup_environ()
    server.set_app(get_wsgi_application())
    server.serve_forever(poll_interval=0.1)


def press(stage: Stage, campaigns: list[int], spec: str, journal: Path) -> None:
    """Three people press Send at once, and again after a failure, until the campaign is on its way."""
    failpoints.arm(spec, journal=journal)
    for pk in campaigns:
        while Campaign.objects.get(pk=pk).state == CampaignState.DRAFT:
            statuses = together([lambda pk=pk: press_once(pk)] * PRESSES)
            stage.journal.write("launched", campaign=Campaign.objects.get(pk=pk).name, statuses=statuses)
    while True:
        time.sleep(60)


def press_once(pk: int) -> int:
    """As the API answers it."""
    try:
        lifecycle.launch(Campaign.objects.get(pk=pk), by=None, now=timezone.now())
    except failpoints.Failure:
        return 500
    except WrongState:
        return 409
    finally:
        connections.close_all()
    return 200


def run_import(pk: int, spec: str, journal: Path) -> None:
    failpoints.arm(spec, journal=journal)
    while ContactImport.objects.get(pk=pk).state == "running":
        with contextlib.suppress(failpoints.Failure):
            importing.run(pk)
        ContactImport.objects.filter(pk=pk).update(lease_until=timezone.now())  # the minute tick would find it
    while True:
        time.sleep(60)


# --- What they work with ---------------------------------------------------------------------------------


def sender(stage: Stage, *, rate: float = RATE) -> Sender:
    stage.next_number += 1
    made = Sender.objects.create(
        value=f"+1202{stage.next_number % 10_000_000:07}", kind="10dlc", brand=stage.brand, account=stage.account,
        parts_per_second=rate,
    )  # fmt: skip
    lanes.ensure(made)
    return made


def campaign(
    stage: Stage, *, count: int = PEOPLE, rate: float = RATE, is_answered: bool = False
) -> tuple[Campaign, list[Contact]]:
    """A draft to so many people who have agreed; the call with the one in their middle is never answered."""
    own = sender(stage, rate=rate)
    numbers = next_numbers(stage, count)
    word = f"c{stage.next_number}"
    # The carrier takes the call in which this one is, and never answers it.
    area = ("213", "312", "415", "512", "617", "702", "305", "646")[stage.next_number // 100_000 % 8]
    if not is_answered:
        numbers[count // 2] = f"+1{area}{200 + stage.next_number // PEOPLE % 700:03}0010"
    contacts = people(stage, numbers)
    group = ContactList.objects.create(name=f"List {word}")
    ListMembership.objects.bulk_create([ListMembership(list=group, contact=contact) for contact in contacts])
    text = ORDER.format(canary=CANARY, word=word)
    made = Campaign.objects.create(
        name=word, brand=stage.brand, sender=own, purpose=Purpose.TRANSACTIONAL, body=text
    )
    made.include.add(group)
    body = {"purpose": "transactional", "include": [group.name], "sender": own.value}
    stage.journal.write("create", campaign=word, body=body)
    return made, contacts


def next_numbers(stage: Stage, count: int) -> list[str]:
    """Phones nobody has had before."""
    first = stage.next_number
    stage.next_number += count
    return [number(first + index) for index in range(count)]


def people(stage: Stage, numbers: list[str]) -> list[Contact]:
    zone = noon()
    made = Contact.objects.bulk_create(
        Contact(
            phone=phone, subscriber_key=phones.subscriber_key(phone), name="Ana", country="US", time_zone=zone,
            time_zone_source="stated",
        )
        for phone in numbers
    )  # fmt: skip
    seed.agree(made, brand=stage.brand, event=stage.event)
    return made


def say_stop(stage: Stage, contact: Contact, sender: Sender) -> None:
    """Until the carrier has heard 2xx: it tries again by itself, less and less often, and so do we."""
    stage.journal.write("text", phone=contact.phone, text="STOP")
    body = {"account": stage.account.name, "from": contact.phone, "to": sender.value, "text": "STOP"}
    acts.call(stage.carrier_port, "POST", "/control/inbound", body, seconds=20.0)


def queue(stage: Stage, contact: Contact, sender: Sender) -> None:
    """The shop sends to them now."""
    stage.next_number += 1
    word = f"m{stage.next_number}"
    stage.journal.write("send", word=word, to=contact.phone, times=1)
    sending.queue(
        contact, sender=sender, text=ORDER.format(canary=CANARY, word=word), purpose=Purpose.TRANSACTIONAL,
        kind=MessageKind.API, priority=Priority.TRANSACTIONAL, now=timezone.now(),
    )  # fmt: skip
