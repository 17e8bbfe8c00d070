"""The stage of the sweep: small cases, each with processes of its own that are forked ready-made.

`python -m tests.chaos.stage`, in a desk's environment. It reads one order a line, plays the case and answers with
one line. Django is loaded once; a worker that dies is replaced within a tenth of a second, as a cluster would.
"""

import json
import socket
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.utils import timezone  # noqa: E402

from campaigns import accounts, receipts, snapshot  # noqa: E402
from campaigns.models import Campaign, DeliveryEvent, GatewayAccount, OutboundMessage  # noqa: E402
from contacts import claims, import_batches, importing, uploads  # noqa: E402
from contacts.models import Brand, Contact, ContactImport, ContactList  # noqa: E402
from smsdesk import failpoints  # noqa: E402
from tests.chaos import acts, players, scenes, seed  # noqa: E402
from tests.chaos.players import PEOPLE, RATE, Stage  # noqa: E402

UNCOMMITTED = ("lane.won", "batch.", "submit.lane", "submit.contacts", "submit.after_recheck", "submit.before")
STOPPING = 3  # people who say STOP
SEND = ("lane.", "batch.", "submit.", "call.", "record.", "reaper.", "reconcile.", "launch.between_ranges")
WEB = ("receipt.", "inbound.", "stop.")


def main() -> None:
    order = json.loads(sys.stdin.readline())
    stage = _open(order)
    _say({"hooks": accounts.hook_base(stage.account), "account": stage.account.name})
    for line in sys.stdin:
        case = json.loads(line)
        try:
            _say(_play(stage, case))
        except Exception:
            _say({"broken": traceback.format_exc()[-1500:]})
        finally:
            players.clear(stage)


def _say(told: dict[str, Any]) -> None:
    print("\n@" + json.dumps(told), flush=True)


def _open(order: dict[str, Any]) -> Stage:
    snapshot.RANGE = PEOPLE // 3
    import_batches.BATCH = PEOPLE // 3
    brand = Brand.objects.create(name="Acme", slug="acme")
    account = GatewayAccount.objects.create(
        name=order["name"], kind=order["dialect"], base_url=f"http://127.0.0.1:{order['carrier']}",
        is_simulator=True,
    )  # fmt: skip
    accounts.store_credentials(account, order["credentials"])
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", order["web"]))
    listening.listen(64)
    return Stage(
        folder=Path(order["folder"]), carrier_port=order["carrier"], web_port=order["web"], listening=listening,
        journal=acts.Journal(Path(order["journal"])), brand=brand, account=account, event=seed.one_event(brand),
        next_number=order["first_number"],
    )  # fmt: skip


# --- A case -----------------------------------------------------------------------------------------------


def _play(stage: Stage, case: dict[str, Any]) -> dict[str, Any]:
    """{"name", "spec", "faults", "seconds"} → what happened; the judge reads the rest by itself."""
    stage.cases += 1
    journal = stage.folder / f"hits-{stage.cases}.jsonl"
    name, spec, begun = case["name"], case["spec"], time.time()
    deadlocks = scenes.deadlocks()
    _wrong(stage, case["faults"])
    try:
        if name in scenes.SCENES:
            told = scenes.SCENES[name](stage, spec, journal, case["seconds"])
        elif name.startswith("import."):
            told = _import_case(stage, spec, journal, seconds=case["seconds"])
        else:
            told = _send_case(stage, name, spec, journal, seconds=case["seconds"])
        if case["faults"]:
            _match_late_receipts(stage)
    finally:
        _wrong(stage, [(fault, 0.0) for fault, _ in case["faults"]])
    hits = failpoints.read(journal)
    return {
        **told,
        "begun": begun,
        "deadlocks": scenes.deadlocks() - deadlocks,
        "fired": sorted(
            {f"{hit['name']}={hit['what']}" for hit in hits if hit["what"] != "met"} | {f"{name}=scene"}
        ),
        "met": sorted({str(hit["name"]) for hit in hits}),
        "seconds": round(time.time() - begun, 1),
    }


def _wrong(stage: Stage, faults: Sequence[tuple[str, float]]) -> None:
    """From now on the carrier does this wrong."""
    if faults:
        status, answer = acts.call(stage.carrier_port, "POST", "/control/faults", dict(faults))
        assert status == 200, answer


def _match_late_receipts(stage: Stage) -> None:
    """As the minute's round does: receipts that came before their message's id was known."""
    time.sleep(1.5)  # one that was refused comes again
    until = time.monotonic() + 5.0
    waiting = DeliveryEvent.objects.filter(account=stage.account, message=None)
    while waiting.exists() and time.monotonic() < until:
        receipts.rematch(now=timezone.now())
        time.sleep(0.2)


def _send_case(stage: Stage, name: str, spec: str, journal: Path, *, seconds: float) -> dict[str, Any]:
    count = 2 if name == "launch.before_commit" else 1
    made = [players.campaign(stage) for _ in range(count)]
    words = [campaign.name for campaign, _ in made]
    people = {campaign.name: [contact.phone for contact in contacts] for campaign, contacts in made}
    players.fork(stage, lambda: players.serve(stage, _of(spec, WEB), journal))
    for _ in range(2):
        players.fork(stage, lambda: players.work(f"{_of(spec, SEND)};*=watch", journal))
    keys = [campaign.pk for campaign, _ in made]
    players.fork(stage, lambda: players.press(stage, keys, spec if name == "launch.before_commit" else "", journal))
    for word in words:
        stage.journal.write("launch", campaign=word, presses=1)
    sender = made[0][0].sender
    assert sender is not None
    until = time.monotonic() + seconds
    if name.startswith(SEND) and "=hold" in spec:
        _wait_for_hit(stage, name, journal)
    stopping = _about_to_leave(stage, keys, made[0][1], name=name)
    texters = [
        threading.Thread(target=players.say_stop, args=(stage, contact, sender), daemon=True)
        for contact in stopping
    ]
    for texter in texters:
        texter.start()
    for pause in (0.0, 0.35, 0.35):  # the shop sends to them at this very moment
        time.sleep(pause)
        for contact in stopping:
            players.queue(stage, contact, sender)
    while time.monotonic() < until:
        players.tend(stage)
        time.sleep(0.1)
        if any(texter.is_alive() for texter in texters):
            continue
        if _is_settled(keys, stopping, journal, spec):
            break
    return {
        "campaigns": words,
        "people": people,
        "rates": {sender.value: RATE},
        "phones": [phone for group in people.values() for phone in group],
    }


def _of(spec: str, names: tuple[str, ...]) -> str:
    """What of it is for processes that reach names that begin like this."""
    return ";".join(entry for entry in spec.split(";") if entry.startswith(names))


def _wait_for_hit(stage: Stage, name: str, journal: Path) -> None:
    until = time.monotonic() + 8.0
    while time.monotonic() < until:
        players.tend(stage)
        if any(hit["name"] == name and hit["what"] != "met" for hit in failpoints.read(journal)):
            return
        time.sleep(0.01)


def _about_to_leave(stage: Stage, keys: list[int], contacts: list[Contact], *, name: str) -> list[Contact]:
    """Two people in the batch that is in hand when the failpoint's turn has come, and one who waits."""
    known = {contact.pk: contact for contact in contacts}
    if name.startswith(UNCOMMITTED):
        queued = OutboundMessage.objects.filter(campaign__in=keys, state="queued").order_by("id")
        chosen = [known[pk] for pk in queued.values_list("contact", flat=True)[: STOPPING - 1] if pk in known]
        return [*chosen, contacts[-1]]
    until = time.monotonic() + 2.5
    leaving: list[int] = []
    while time.monotonic() < until and not leaving:
        players.tend(stage)
        time.sleep(0.01)
        rows = OutboundMessage.objects.filter(campaign__in=keys, state="submitting")
        leaving = list(rows.order_by("-id").values_list("contact", flat=True)[: STOPPING - 1])
    chosen = [known[pk] for pk in leaving if pk in known] or contacts[PEOPLE // 3 : PEOPLE // 3 + STOPPING - 1]
    return [*chosen, contacts[-1]]


def _is_settled(keys: list[int], stopping: list[Contact], journal: Path, spec: str) -> bool:
    if Campaign.objects.filter(pk__in=keys).exclude(state__in=("finished", "cancelled")).exists():
        return False
    texted = OutboundMessage.objects.filter(subscriber_key__in=[c.subscriber_key for c in stopping])
    if texted.filter(state__in=("queued", "submitting", "unknown")).exists():
        return False
    hit = spec.partition("=")[0]
    fired = {str(line["name"]) for line in failpoints.read(journal) if line["what"] != "met"}
    return hit in fired or not spec


def _import_case(stage: Stage, spec: str, journal: Path, *, seconds: float) -> dict[str, Any]:
    numbers = players.next_numbers(stage, PEOPLE)
    name = f"Import {stage.next_number}"
    content = "phone,name\n" + "".join(f"{phone},Bo\n" for phone in numbers)
    made = uploads.store([content.encode()], filename="people.csv", by_id=None)
    agreed = timezone.now() - timedelta(days=9)
    importing.configure(
        made,
        columns={"phone": "phone", "name": "name"},
        brand=stage.brand,
        contact_list=ContactList.objects.create(name=name),
        default_country="US",
        claim=claims.Claim("transactional", "express_written", agreed, "web_form", "I agree", "form"),
        now=timezone.now(),
    )
    importing.start(made, now=timezone.now())
    stage.journal.write("import", list=name, phones=numbers)
    players.fork(stage, lambda: players.run_import(made.pk, spec, journal))
    until = time.monotonic() + seconds
    state = ""
    while time.monotonic() < until and state != "finished":
        players.tend(stage)
        time.sleep(0.1)
        state = ContactImport.objects.get(pk=made.pk).state
    stage.journal.write("imported", list=name, state=state, status=202)
    return {"campaigns": [], "people": {}, "rates": {}, "phones": numbers, "state": state}


if __name__ == "__main__":
    assert settings.CHAOS, "only a desk that exists to be crashed"
    main()
