"""The people: a company that runs campaigns, its shop, its importer, and the phones that answer.

Every draw comes from `Random(f"{seed}/{role}")`, every act is in the journal before it is done. Each text carries a
word of its own (`c12`, `m345`), so that the carrier's log alone says what it was.
"""

import itertools
import json
import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos import acts

CANARY = "zebrafish"  # in every text; no log of the desk may hold it
MARKETING = "Acme: Hi {{{{ first_name | default: 'there' }}}}, {canary} {word}: 20% off. Reply STOP to opt out."
ORDER = "Acme: {canary} {word}: your order is on its way."
UNANSWERED = (0, 425, 429, 500, 502, 503, 504)


@dataclass(slots=True)
class Company:
    """What the driver knows of the desk it works with."""

    port: int  # the desk's, both web processes behind it
    carrier_port: int
    key: str
    senders: list[dict[str, Any]]
    phones: list[str]
    list_size: int
    lists: int
    carrier_log: Path
    journal: acts.Journal
    seed: str
    stop: threading.Event = field(default_factory=threading.Event)
    words: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    busy: set[str] = field(default_factory=set)
    given_up: set[str] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    frontier: dict[str, int] = field(default_factory=dict)  # campaign's word → people reached so far
    running: dict[str, tuple[int, int]] = field(default_factory=dict)  # campaign's word → its people, by index
    imported: list[str] = field(default_factory=list)  # names of lists
    calls: int = 0  # that the carrier has seen

    def random(self, role: str) -> random.Random:
        return random.Random(f"{self.seed}/driver/{role}")

    def api(self, method: str, path: str, body: Any = None, *, key: str = "") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.key}"}
        if key:
            headers["Idempotency-Key"] = key
        return acts.call(self.port, method, f"/api/v1{path}", body, headers=headers)

    def insist(self, method: str, path: str, body: Any, *, key: str, tries: int = 12) -> tuple[int, Any]:
        """As a client should: the same key again until there is an answer."""
        status, answer = 0, None
        for attempt in range(tries):
            status, answer = self.api(method, path, body, key=key)
            is_in_progress = status == 409 and isinstance(answer, dict) and "progress" in str(answer.get("code"))
            if status not in UNANSWERED and not is_in_progress:
                break
            time.sleep(0.2 + 0.1 * attempt)
        return status, answer

    def text(self, phone: str, words: str, *, sender: str) -> int:
        """Somebody texts us. The status of the carrier's first try; it goes on trying by itself."""
        status, answer = acts.call(
            self.carrier_port,
            "POST",
            "/control/inbound",
            {"from": phone, "to": sender, "text": words},
            seconds=20.0,
        )
        return int(answer["status"]) if status == 200 and isinstance(answer, dict) else 0


def start(company: Company) -> list[threading.Thread]:
    roles: list[tuple[str, Callable[[Company, random.Random], None]]] = [
        ("watcher", watch_carrier),
        *((f"marketer {n}", lambda c, r, n=n: marketer(c, r, position=n)) for n in range(len(company.senders))),
        *((f"texter {n}", texter) for n in range(4)),
        *((f"shop {n}", shop) for n in range(2)),
        ("importer", importer),
    ]
    threads = [
        threading.Thread(target=role, args=(company, company.random(name)), name=name, daemon=True)
        for name, role in roles
    ]
    for thread in threads:
        thread.start()
    return threads


# --- Where the carrier is --------------------------------------------------------------------------------


def watch_carrier(company: Company, draws: random.Random) -> None:
    """Count by campaign what the carrier took, so that others can aim at who is next."""
    while not company.stop.is_set() and not company.carrier_log.exists():
        time.sleep(0.1)
    with company.carrier_log.open(encoding="ascii") as log:
        while not company.stop.is_set():
            line = log.readline()
            if not line.endswith("\n"):
                time.sleep(0.05)
                if line:
                    log.seek(log.tell() - len(line))
                continue
            if line.startswith('{"kind": "answered"'):
                company.calls += 1
            if line.startswith('{"kind":"accepted"'):
                word = word_of(json.loads(line)["body"])
                if word.startswith("c"):
                    company.frontier[word] = company.frontier.get(word, 0) + 1


def word_of(text: str) -> str:
    """The word of its own that a text carries; "" for the desk's own answers."""
    _, found, rest = text.partition(f"{CANARY} ")
    return rest.split(":", 1)[0].strip() if found else ""


# --- Campaigns -------------------------------------------------------------------------------------------


def marketer(company: Company, draws: random.Random, *, position: int) -> None:
    """One campaign after the other from one sender, with everything people do to a campaign."""
    sender = company.senders[position]
    company.stop.wait(draws.uniform(0, 2))
    while not company.stop.is_set():
        campaign = _Campaign(company, draws, sender=sender)
        if campaign.create() and campaign.launch():
            campaign.live()


class _Campaign:
    def __init__(self, company: Company, draws: random.Random, *, sender: dict[str, Any]) -> None:
        self.company, self.draws, self.sender = company, draws, sender
        self.word = f"c{next(company.words)}"
        self.id = ""

    def create(self) -> bool:
        company, draws = self.company, self.draws
        number = draws.randrange(company.lists)
        lists, first, last = [f"List {number}"], number * company.list_size, (number + 1) * company.list_size
        if self.sender["rate"] > 100:
            lists, first, last = ["Big", *lists], 0, 5_000
        if company.imported and draws.random() < 0.3:
            lists.append(draws.choice(company.imported))
        is_marketing = draws.random() < 0.3
        text = MARKETING if is_marketing else ORDER
        body = {
            "name": self.word,
            "brand": "acme",
            "sender": self.sender["value"],
            "purpose": "marketing" if is_marketing else "transactional",
            "body": text.format(canary=CANARY, word=self.word),
            "include": lists,
        }
        if draws.random() < 0.15:
            until = time.time() + draws.uniform(3, 15)
            body["send_by"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))
        company.journal.write("create", campaign=self.word, body=body)
        status, made = company.insist("POST", "/campaigns/", body, key=uuid.UUID(int=draws.getrandbits(128)).hex)
        company.journal.write("created", campaign=self.word, status=status)
        if status != 201:
            company.stop.wait(0.5)
            return False
        self.id = made["id"]
        company.running[self.word] = (first, last)
        return True

    def launch(self) -> bool:
        """Sometimes pressed by four people at once; exactly one may have done it."""
        presses = 4 if self.draws.random() < 0.25 else 1
        keys = [uuid.UUID(int=self.draws.getrandbits(128)).hex for _ in range(presses)]
        self.company.journal.write("launch", campaign=self.word, presses=presses)
        statuses = together([lambda key=key: self._verb("launch", key=key) for key in keys])
        self.company.journal.write("launched", campaign=self.word, statuses=statuses)
        return any(status == 200 for status in statuses)

    def _verb(self, verb: str, *, key: str = "") -> int:
        key = key or uuid.UUID(int=self.draws.getrandbits(128)).hex
        return self.company.insist("POST", f"/campaigns/{self.id}/{verb}/", {}, key=key)[0]

    def _do(self, verb: str) -> int:
        self.company.journal.write(verb, campaign=self.word)
        status = self._verb(verb)
        self.company.journal.write(f"{verb} answered", campaign=self.word, status=status)
        return status

    def live(self) -> None:
        company, draws = self.company, self.draws
        state = "scheduled"
        while state not in ("finished", "cancelled"):
            if company.stop.wait(draws.uniform(0.4, 1.6)):
                return
            status, seen = company.api("GET", f"/campaigns/{self.id}/")
            state = seen["state"] if status == 200 else state
            chance = draws.random()
            if state == "paused":
                self._do("resume")
            elif state == "sending" and chance < 0.06:
                if self._do("pause") == 200:
                    company.stop.wait(draws.uniform(0.1, 2.0))
                    self._do("resume")
            elif state == "sending" and chance < 0.08:
                self._do("cancel")
            elif state in ("sending", "finished") and chance < 0.16:
                self._edit()
        company.running.pop(self.word, None)

    def _edit(self) -> None:
        """A campaign that is on its way cannot be changed: 409."""
        self.company.journal.write("edit", campaign=self.word)
        status, _ = self.company.api("PATCH", f"/campaigns/{self.id}/", {"body": "Acme: something else entirely."})
        self.company.journal.write("edit answered", campaign=self.word, status=status)


# --- Single messages -------------------------------------------------------------------------------------


def shop(company: Company, draws: random.Random) -> None:
    while not company.stop.wait(draws.expovariate(2)):
        send(company, draws, draws.choice(company.phones))


def send(company: Company, draws: random.Random, phone: str) -> None:
    """One message over the API, sometimes posted three times at once; repeated until it is answered."""
    word, key = f"m{next(company.words)}", uuid.UUID(int=draws.getrandbits(128)).hex
    body = {
        "to": phone,
        "purpose": "transactional",
        "text": ORDER.format(canary=CANARY, word=word),
        "sender": draws.choice(company.senders)["value"],
    }
    times = 3 if draws.random() < 0.1 else 1
    company.journal.write("send", word=word, to=phone, times=times)
    answers = together([lambda: company.insist("POST", "/messages/", body, key=key, tries=8)] * times)
    told = []
    for status, answer in answers:
        one = answer["recipients"][0] if status == 202 else {}
        told.append({"status": status, "outcome": one.get("outcome"), "id": (one.get("message") or {}).get("id")})
    company.journal.write("sent", word=word, to=phone, answers=told)


# --- Phones ----------------------------------------------------------------------------------------------


def texter(company: Company, draws: random.Random) -> None:
    """Somebody says STOP, often somebody who is about to be sent to, often while the shop sends to them; and later,
    perhaps, START."""
    while not company.stop.wait(draws.expovariate(1.0)):
        phone = _take(company, draws)
        if phone is None:
            continue
        try:
            _converse(company, draws, phone)
        finally:
            with company.lock:
                company.busy.discard(phone)


def _take(company: Company, draws: random.Random) -> str | None:
    position = draws.randrange(len(company.phones))
    running = list(company.running.items())
    if running and draws.random() < 0.6:
        word, (first, last) = draws.choice(running)
        position = min(last - 1, first + company.frontier.get(word, 0) + draws.randrange(60))
    phone = company.phones[min(position, len(company.phones) - 1)]
    with company.lock:
        if phone in company.busy or phone in company.given_up:
            return None
        company.busy.add(phone)
    return phone


def _converse(company: Company, draws: random.Random, phone: str) -> None:
    sender = draws.choice(company.senders)["value"]
    if phone in company.stopped:
        if draws.random() < 0.5:
            return send(company, draws, phone)  # must be refused
        company.journal.write("text", phone=phone, text="START")
        if 200 <= company.text(phone, "START", sender=sender) < 300:
            company.stopped.discard(phone)
        else:
            company.given_up.add(phone)  # the carrier goes on trying: nobody knows when it will be heard
        return
    if draws.random() < 0.1:
        company.journal.write("text", phone=phone, text="other")
        company.text(phone, draws.choice(["HELP", f"Where is it? {CANARY} hello"]), sender=sender)
        return
    beside = None
    if draws.random() < 0.6:
        ahead = draws.uniform(-0.03, 0.03)
        beside = threading.Thread(target=send, args=(company, random.Random(draws.random()), phone), daemon=True)
        if ahead < 0:
            beside.start()
        time.sleep(abs(ahead))
    company.journal.write("text", phone=phone, text="STOP")
    if beside is not None and not beside.is_alive() and beside.ident is None:
        stopper: list[int] = []
        text = threading.Thread(target=lambda: stopper.append(company.text(phone, "STOP", sender=sender)))
        text.start()
        time.sleep(draws.uniform(0, 0.03))
        beside.start()
        text.join()
        status = stopper[0] if stopper else 0
    else:
        status = company.text(phone, "STOP", sender=sender)
    if 200 <= status < 300:
        company.stopped.add(phone)
        if draws.random() < 0.3:
            send(company, draws, phone)
    else:
        company.given_up.add(phone)
    if beside is not None:
        beside.join(20)


# --- Imports ---------------------------------------------------------------------------------------------


def importer(company: Company, draws: random.Random) -> None:
    """A file of new people and of some who have said STOP, whom it must not bring back."""
    number = 0
    while not company.stop.wait(draws.uniform(4, 12)):
        number += 1
        fresh = [f"+1303555{draws.randrange(1100, 9999):04}" for _ in range(40)]
        with company.lock:
            gone = sorted(company.stopped)
        rows = sorted({*fresh, *draws.sample(gone, min(20, len(gone))), *draws.sample(company.phones, 20)})
        _import(company, draws, name=f"Import {number}", phones=rows)


def _import(company: Company, draws: random.Random, *, name: str, phones: list[str]) -> None:
    company.journal.write("import", list=name, phones=phones)
    boundary = "the-boundary-of-this-form"
    content = "phone,name\r\n" + "".join(f"{phone},Bo\r\n" for phone in phones)
    form = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="people.csv"\r\n'
        f"Content-Type: text/csv\r\n\r\n{content}\r\n--{boundary}--\r\n"
    )
    headers = {
        "Authorization": f"Bearer {company.key}",
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Idempotency-Key": uuid.UUID(int=draws.getrandbits(128)).hex,
    }
    status, made = acts.call(company.port, "POST", "/api/v1/imports/", form.encode(), headers=headers)
    if status != 201:
        company.journal.write("imported", list=name, status=status, state="")
        return
    said = {
        "columns": {"phone": "phone", "name": "name"},
        "brand": "acme",
        "list": name,
        "default_country": "US",
        "consent": {
            "purpose": "transactional", "basis": "express_written", "obtained_at": "2026-05-31T18:00:00Z",
            "method": "web_form", "wording": "Text me about my orders.", "source": "the shop",
        },
    }  # fmt: skip
    for _ in range(5):
        status, _ = company.api("PUT", f"/imports/{made['id']}/settings/", said)
        if status not in UNANSWERED:
            break
        time.sleep(0.3)
    key = uuid.UUID(int=draws.getrandbits(128)).hex
    status, _ = company.insist("POST", f"/imports/{made['id']}/start/", {}, key=key)
    state = ""
    until = time.monotonic() + 20
    while time.monotonic() < until and state not in ("finished", "failed") and not company.stop.is_set():
        time.sleep(0.5)
        got, seen = company.api("GET", f"/imports/{made['id']}/")
        state = seen["state"] if got == 200 else state
    company.journal.write("imported", list=name, status=status, state=state, id=made["id"])
    if state == "finished":
        company.imported.append(name)


def together(jobs: list[Callable[[], Any]]) -> list[Any]:
    """All at once, each in a thread; their answers in order."""
    if len(jobs) == 1:
        return [jobs[0]()]
    answers: list[Any] = [None] * len(jobs)

    def run(position: int) -> None:
        answers[position] = jobs[position]()

    threads = [threading.Thread(target=run, args=[position]) for position in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
