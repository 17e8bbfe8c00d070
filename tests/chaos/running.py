"""A run from its beginning to its verdict. It always ends, and leaves no process behind."""

import json
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from smsdesk import failpoints
from smsdesk.simulator import journal as carrier_journal
from tests import world
from tests.chaos import acts, driver, judge, orders
from tests.chaos.desk import Desk
from tests.chaos.evidence import Database, collect
from tests.chaos.killer import PARTED, Killer
from tests.chaos.orders import Order

# Seconds after which everything is settled, unscaled (lease, lapse, reaper, grace and a round of the reconciler),
# and what the machine takes for it at any scale.
QUIET = 240.0
AND = 12.0
WIND_DOWN = 12.0  # seconds the campaigns have to end before the rest of them is cancelled
SAMPLE = 0.1
TRIES = 10  # of the carrier, for one webhook


@dataclass(frozen=True, slots=True)
class Told:
    line: dict[str, Any]
    is_broken: bool


def run(order: Order, *, say: Callable[[str], None]) -> Told:
    folder = order.folder or Path(tempfile.mkdtemp(prefix="smsdesk-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)  # PostgreSQL, as an account of its own, has its folder inside
    begun = time.monotonic()
    desk = Desk(order, folder)
    previous = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        told = _run(desk, order, folder, say=say)
    finally:
        for number in (*previous, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # a second signal must not keep anything alive
        desk.close()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, handler in previous.items():
            signal.signal(number, handler)
    line = {
        "seed": order.seed,
        "ok": not told.violations,
        **told.figures,
        "seconds": round(time.monotonic() - begun),
        "violations": [f"{v.rule}: {v.what}" for v in told.violations[:5]],
        "command": " ".join(["python -m tests.chaos", *orders.as_arguments(order)]),
    }
    if told.violations:
        line["evidence"] = str(folder)
        _keep_evidence(folder, told, line)
    elif order.folder is None:
        shutil.rmtree(folder, ignore_errors=True)
    return Told(line, bool(told.violations))


def _end(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _run(desk: Desk, order: Order, folder: Path, *, say: Callable[[str], None]) -> judge.Verdict:
    told = desk.open()
    say(f"desk is up in {folder}")
    journal = acts.Journal(folder / "acts.jsonl")
    database = Database(url=desk.server.url) if desk.server else Database(path=folder / "desk.sqlite3")
    company = driver.Company(
        port=desk.port, carrier_port=desk.carrier_port, key=told["key"], senders=told["senders"],
        phones=told["phones"], list_size=told["list"], lists=told["lists"], carrier_log=desk.carrier_log,
        journal=journal, seed=order.seed,
    )  # fmt: skip
    watcher = _Watcher(database)
    watcher.start()
    killer = Killer(desk, journal, desk.failpoints_journal, calls=lambda: company.calls)
    harming = threading.Thread(target=killer.run, name="killer", daemon=True)
    people = driver.start(company)
    harming.start()
    time.sleep(order.seconds)
    company.stop.set()
    killer.end()
    harming.join(60)
    over = threading.Event()
    threading.Thread(target=killer.keep_awake, args=(over,), name="waker", daemon=True).start()
    desk.keep_hosts()
    say(f"harmed {sum(killer.counts.values())} times: {dict(killer.counts)}")
    for one in people:
        one.join(15)
    _wind_down(company, database, say=say)
    is_exact = order.dialect == "infobip"
    waited = _be_quiet(database, desk, order, is_exact=is_exact)
    say(f"settled after {waited:.0f} s")
    watcher.stop.set()
    over.set()
    say(f"CPU: {desk.cpu_seconds()}")
    desk.close_carrier()
    desk.close_hosts()
    evidence = collect(
        database, carrier_log=desk.carrier_log, journal_file=folder / "acts.jsonl",
        rates={sender["value"]: sender["rate"] for sender in told["senders"]}, scale=order.scale,
        is_lookup_exact=is_exact,
    )  # fmt: skip
    evidence.asleep = set(told["asleep"])
    evidence.people = _lists(told)
    evidence.most_submitting = dict(watcher.most)
    if desk.server is not None and desk.server.log.exists():
        evidence.deadlocks = desk.server.deadlocks()
    evidence.held = PARTED if desk.has_road else 0.0
    evidence.is_only_deployed = order.profile == "deploy"
    evidence.phones = {*told["phones"]}
    evidence.canaries = [told["key"], told["hooks"].split("/")[-2], *world.CREDENTIALS[order.dialect].values()]
    evidence.logs = sorted(folder.glob("host*.log"))
    verdict = judge.judge(evidence)
    names = Counter(str(line["name"]) for line in failpoints.read(desk.failpoints_journal))
    frozen = {name: n for name, n in killer.counts.items() if name.startswith("freeze")}
    verdict.figures = {
        "kills": sum(n for name, n in killer.counts.items() if name.startswith("kill")),
        "freezes": sum(frozen.values()),
        "harms": dict(sorted(killer.counts.items())),
        **verdict.figures,
        "settled_after": round(waited, 1),
        "failpoints_met": len(names),
        "scale": order.scale,
    }
    return verdict


class _Watcher(threading.Thread):
    """Looks how many rows of a lane are in `submitting`; and stands in for the operator who lets accounts go on."""

    def __init__(self, database: Database) -> None:
        super().__init__(daemon=True, name="watcher")
        self.database = database
        self.stop = threading.Event()
        self.most: dict[str, int] = {}
        self.pauses = 0

    def run(self) -> None:
        turn = 0
        while not self.stop.wait(SAMPLE):
            turn += 1
            try:
                for sender, rows in self.database.submitting():
                    self.most[sender] = max(self.most.get(sender, 0), rows)
                if turn % 20 == 0:
                    self.database.tell(
                        "UPDATE campaigns_gatewayaccount SET paused_at = NULL, paused_reason = '' "
                        "WHERE paused_at IS NOT NULL"
                    )
            except Exception:
                continue


def _wind_down(company: driver.Company, database: Database, *, say: Callable[[str], None]) -> None:
    """What is paused goes on; what has not ended after a while is cancelled, as an operator would."""
    until = time.monotonic() + WIND_DOWN
    campaigns = []
    while time.monotonic() < until:
        status, page = company.api("GET", "/campaigns/?limit=200&state=paused")
        for one in page["data"] if status == 200 else []:
            company.journal.write("resume", campaign=one["name"])
            status = company.insist(
                "POST", f"/campaigns/{one['id']}/resume/", {}, key=f"end-{one['id']}-{time.time()}"
            )[0]
            company.journal.write("resume answered", campaign=one["name"], status=status)
        campaigns = _unfinished(company)
        if not campaigns:
            return
        time.sleep(1.0)
    say(f"{len(campaigns)} campaigns are cancelled")
    for one in campaigns:
        company.journal.write("cancel", campaign=one["name"])
        status = company.insist("POST", f"/campaigns/{one['id']}/cancel/", {}, key=f"cancel-{one['id']}")[0]
        company.journal.write("cancel answered", campaign=one["name"], status=status)


def _unfinished(company: driver.Company) -> list[dict[str, Any]]:
    found = []
    for state in ("scheduled", "preparing", "sending", "paused"):
        status, page = company.api("GET", f"/campaigns/?limit=200&state={state}")
        found += page["data"] if status == 200 else []
    return found


def _be_quiet(database: Database, desk: Desk, order: Order, *, is_exact: bool) -> float:
    """Until nothing is open any more, at most for the time in which everything must be settled."""
    begun = time.monotonic()
    calm = 0
    while calm < 3 and time.monotonic() - begun < QUIET * order.scale + AND:
        time.sleep(0.4)
        desk.keep_hosts()
        try:
            is_open = database.open_rows(is_lookup_exact=is_exact) or _unheard(desk)
        except psycopg.Error:
            is_open = True
        calm = 0 if is_open else calm + 1
    return time.monotonic() - begun


def _unheard(desk: Desk) -> bool:
    """Whether the carrier still tries to post a text that was not answered 2xx."""
    waiting: dict[str, bool] = {}
    for line in carrier_journal.read(desk.carrier_log, kind="inbound"):
        waiting[line["gateway_id"]] = (
            line["taken_at"] is None and line["try"] < TRIES and line["status"] in (0, 429, *range(500, 600))
        )
    return any(waiting.values())


def _lists(told: dict[str, Any]) -> dict[str, list[str]]:
    size, phones = told["list"], told["phones"]
    made = {f"List {number}": phones[number * size : (number + 1) * size] for number in range(told["lists"])}
    return {**made, "Big": phones[:5_000]}


def _keep_evidence(folder: Path, verdict: judge.Verdict, line: dict[str, Any]) -> None:
    """Beside the logs: each violation with every line of the carrier's log that names its references."""
    wanted = {reference for violation in verdict.violations for reference in violation.references}
    lines: dict[str, list[str]] = {}
    with (folder / "carrier.jsonl").open() as log:
        for text in log:
            if text.startswith(
                (
                    '{"kind":"seen',
                    '{"kind":"accepted',
                    '{"kind": "receipt',
                    '{"kind": "duplicate',
                    '{"kind": "refused',
                )
            ):
                entry = json.loads(text)
                reference = str(entry.get("reference", "")).replace("-", "").lower()
                if reference in wanted:
                    lines.setdefault(reference, []).append(text.strip())
    with (folder / "violations.txt").open("w") as out:
        out.write(json.dumps(line) + "\n\n")
        for violation in verdict.violations:
            out.write(f"{violation.rule}: {violation.what}\n")
            for reference in violation.references:
                out.write(f"  {reference}\n")
                for one in lines.get(reference, []):
                    out.write(f"    {one}\n")
