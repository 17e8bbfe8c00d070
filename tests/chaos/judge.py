"""The judge: from the carrier's log first, the driver's journal second, and only then from the ledger.

It knows nothing of the desk's code. Every violation names its rule and what it concerns; `docs/reliability.md` says
the rules (I1 to I6) in words.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.chaos import conduct
from tests.chaos.driver import word_of
from tests.chaos.evidence import Evidence, Row, plain

TAKEN = ("accepted", "sent", "delivered", "undelivered", "expired")
FINAL = ("rejected", "skipped", "cancelled", "parked")
BATCH, BATCH_WITH_LOOKUP = 200, 500
HAND = 11.0  # seconds, unscaled: the first byte's second and the whole call
TICK = 60.0  # seconds, unscaled: what is due is found by then
UNSURE = 900.0  # seconds, unscaled
# Spans in which no more than the rate and one batch are due; a call may begin a second later than it is due, and a
# quarter of a second of a late batch's delay is made up for.
SPANS = (1.0, 3.0)
LATE = 1.25
PATIENCE = 120.0  # seconds, unscaled: where absence proves nothing, a single message waits so long for a proof


@dataclass(frozen=True, slots=True)
class Violation:
    rule: str
    what: str
    references: tuple[str, ...] = ()


@dataclass(slots=True)
class Verdict:
    violations: list[Violation] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def find(self, rule: str, what: str, *references: str) -> None:
        self.violations.append(Violation(rule, what, references))

    def count(self, *rules: str) -> int:
        return sum(violation.rule in rules for violation in self.violations)


def judge(evidence: Evidence) -> Verdict:
    case = _Case(evidence)
    verdict = Verdict()
    for rule in (
        _never_twice, _never_after_stop, _ledger_is_true, _nothing_lost, _answered_exists, _only_when_it_may,
        *conduct.RULES,
    ):  # fmt: skip
        rule(case, verdict)
    _figures(case, verdict)
    return verdict


class _Case:
    """The evidence, sorted for the questions that are asked of it."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.batch = BATCH_WITH_LOOKUP if evidence.is_lookup_exact else BATCH
        self.of_kind: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for line in evidence.carrier:
            self.of_kind[line["kind"]].append(line)
        self.accepted = self.of_kind["accepted"]
        self.by_reference: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for line in self.accepted:
            self.by_reference[plain(line["reference"])].append(line)
        self.rows: dict[str, Row] = {row.reference: row for row in evidence.rows}
        self.acts: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for act in evidence.acts:
            self.acts[act["act"]].append(act)
        self.created = {act["campaign"]: act["body"] for act in self.acts["create"]}
        self.texts: dict[str, list[dict[str, Any]]] = defaultdict(list)  # what each phone said, try by try
        for line in self.of_kind["inbound"]:
            self.texts[number(line["from"])].append(line)

    def is_own_answer(self, reference: str) -> bool:
        """What the desk answers to STOP, START and HELP: the rules ask for it."""
        lines = self.by_reference.get(reference)
        if lines:
            return not word_of(lines[0]["body"])
        row = self.rows.get(reference)
        return row is not None and row.purpose in ("compliance", "conversational")


def number(phone: str) -> str:
    return "+" + phone.lstrip("+")


# --- I1 ------------------------------------------------------------------------------------------------------


def _never_twice(case: _Case, verdict: Verdict) -> None:
    for reference, lines in case.by_reference.items():
        if len(lines) > 1:
            verdict.find("twice", f"accepted {len(lines)} times", reference)
    for line in case.of_kind["duplicate"]:
        verdict.find("twice", "submitted again although it had been taken", plain(line["reference"]))
    seen: dict[tuple[str, str], str] = {}
    for line in case.accepted:
        word = word_of(line["body"])
        key = (word, number(line["to"]))
        reference = plain(line["reference"])
        if word and seen.setdefault(key, reference) != reference:
            verdict.find("twice", f"{word} went to one phone under two references", seen[key], reference)
    answers = Counter(number(line["to"]) for line in case.accepted if not word_of(line["body"]))
    for phone, count in answers.items():
        asked = len({line["gateway_id"] for line in case.texts[phone]})
        if count > asked:
            verdict.find("twice", f"{count} answers to {asked} texts of one phone")


# --- I3 ------------------------------------------------------------------------------------------------------


def _never_after_stop(case: _Case, verdict: Verdict) -> None:
    closed = {phone: spans for phone, lines in case.texts.items() if (spans := _silences(lines))}
    for line in case.of_kind["seen"]:
        spans = closed.get(number(line["to"]))
        reference = plain(line["reference"])
        if not spans or case.is_own_answer(reference):
            continue
        for begin, end in spans:
            if begin < line["t"] < end and not _was_held(case, line, before=begin):
                verdict.find("after_stop", f"a call began {line['t'] - begin:.3f} s after STOP's 2xx", reference)


def _was_held(case: _Case, line: dict[str, Any], *, before: float) -> bool:
    """On its way since before that moment: what a road holds arrives later than it was sent."""
    row = case.rows.get(plain(line["reference"]))
    return line["t"] - before < case.evidence.held and row is not None and 0 < row.submitted_at < before


def _silences(lines: Sequence[dict[str, Any]]) -> list[tuple[float, float]]:
    """From each STOP's 2xx until the phone's own START was on its way."""
    stops = sorted(line["taken_at"] for line in lines if line["body"] == "STOP" and line["taken_at"])
    starts = sorted(line["started"] for line in lines if line["body"] == "START")
    spans = []
    for stop in stops:
        later = bisect_left(starts, stop)
        spans.append((stop, starts[later] if later < len(starts) else float("inf")))
    return spans


# --- I4 ------------------------------------------------------------------------------------------------------


def _ledger_is_true(case: _Case, verdict: Verdict) -> None:
    for reference in case.by_reference:
        if reference not in case.rows:
            verdict.find("ledger", "the carrier took what the ledger does not know", reference)
    for row in case.evidence.rows:
        is_taken = row.reference in case.by_reference
        if row.state in TAKEN and not is_taken:
            verdict.find("ledger", f"the ledger says {row.state}, the carrier never took it", row.reference)
        if row.state in ("skipped", "cancelled", "rejected") and is_taken:
            verdict.find("ledger", f"the ledger says {row.state} ({row.code}), the carrier took it", row.reference)
        if row.state == "queued" and is_taken and not row.outcome_open:
            verdict.find("ledger", "it waits to be sent although the carrier took it", row.reference)


# --- I2 ------------------------------------------------------------------------------------------------------


def _nothing_lost(case: _Case, verdict: Verdict) -> None:
    now, scale = case.evidence.read_at, case.evidence.scale
    for row in case.evidence.rows:
        if row.state == "submitting":
            verdict.find("stuck", f"submitting for {now - row.submitted_at:.0f} s", row.reference)
        elif row.state == "unknown" and not _may_wait(case, row):
            verdict.find("stuck", f"unknown for {now - row.submitted_at:.0f} s", row.reference)
        elif (
            row.state == "queued"
            and row.due_at < now - TICK * scale
            and row.campaign_state in ("", "sending", "preparing", "finished", "cancelled")
        ):
            verdict.find("stuck", f"queued, and due for {now - row.due_at:.0f} s", row.reference)
        elif row.state == "queued" and not row.waiting_for and row.due_at > now + TICK:
            verdict.find("stuck", f"due in {row.due_at - now:.0f} s, and nothing says why", row.reference)
    for name, state in case.evidence.campaigns.items():
        if state in ("scheduled", "preparing"):
            verdict.find("stuck", f"campaign {name} is {state}")
    _everybody_has_a_row(case, verdict)


def _may_wait(case: _Case, row: Row) -> bool:
    """Where only a proof counts, marketing is asked about for a day, the rest for two minutes.

    Where "never seen" counts, it does so late while nobody can say whether the worker that had the row still lives.
    """
    age = case.evidence.read_at - row.submitted_at
    if case.evidence.is_lookup_exact:
        is_unsure = "worker_gone" not in row.evidence and not row.error_class
        return is_unsure and age < (UNSURE + TICK) * case.evidence.scale
    return row.purpose == "marketing" or age < (PATIENCE + TICK) * case.evidence.scale


def _everybody_has_a_row(case: _Case, verdict: Verdict) -> None:
    people = dict(case.evidence.people)
    for act in case.acts["imported"]:
        if act.get("state") == "finished":
            given = next(one for one in case.acts["import"] if one["list"] == act["list"])
            people[act["list"]] = given["phones"]
            missing = [phone for phone in given["phones"] if case.evidence.contacts[phone] != 1]
            if missing:
                verdict.find("lost", f"{act['list']}: {len(missing)} phones are not one contact each")
    reached: dict[str, set[str]] = defaultdict(set)
    for row in case.evidence.rows:
        reached[row.campaign].add(row.phone)
    for name, body in case.created.items():
        if case.evidence.campaigns.get(name) != "finished":
            continue
        wanted = {phone for group in body["include"] for phone in people.get(group, ())}
        if missing_people := wanted - reached[name]:
            verdict.find("lost", f"{name} is finished, and {len(missing_people)} of its people have no message")


# --- I5 ------------------------------------------------------------------------------------------------------


def _answered_exists(case: _Case, verdict: Verdict) -> None:
    evidence = case.evidence
    answered = {line["gateway_id"] for line in case.of_kind["inbound"] if line["taken_at"]}
    for gateway_id in answered:
        if evidence.inbound[gateway_id] != 1:
            verdict.find("answered", f"a text answered 2xx exists {evidence.inbound[gateway_id]} times")
    for gateway_id, count in evidence.inbound.items():
        if gateway_id not in answered and count > 1:
            verdict.find("answered", f"a text exists {count} times")
    for phone, lines in case.texts.items():
        spans = _silences(lines)
        if spans and spans[-1][1] == float("inf") and phone not in evidence.suppressed:
            verdict.find("answered", "STOP was answered 2xx, and the phone is not suppressed")
    delivered = {
        plain(line["reference"])
        for line in case.of_kind["receipt"]
        if line["word"] == "delivered" and 200 <= line["status"] < 300
    }
    for reference in delivered:
        row = case.rows.get(reference)
        if evidence.receipts[reference, "delivered"] != 1:
            count = evidence.receipts[reference, "delivered"]
            verdict.find("answered", f"a receipt answered 2xx exists {count} times", reference)
        if row is not None and row.state != "delivered":
            verdict.find("answered", f"its receipt said delivered, the ledger says {row.state}", reference)
    _sends_exist(case, verdict)
    _launches(case, verdict)


def _sends_exist(case: _Case, verdict: Verdict) -> None:
    by_word: dict[str, list[Row]] = defaultdict(list)
    for row in case.evidence.rows:
        if not row.campaign and (word := word_of(row.text)):
            by_word[word].append(row)
    told: dict[str, list[dict[str, Any]]] = {act["word"]: act["answers"] for act in case.acts["sent"]}
    for act in case.acts["send"]:
        word = act["word"]
        rows, answers = by_word[word], told.get(word, [])
        promised = {plain(a["id"].partition("_")[2]) for a in answers if a["status"] == 202 and a["id"]}
        references = tuple(row.reference for row in rows)
        if len(rows) > 1:
            verdict.find("answered", f"{word} was posted under one key and exists {len(rows)} times", *references)
        if promised and promised != set(references):
            verdict.find("lost", f"{word} was answered 202, and the ledger holds {len(rows)} of it", *promised)


def _launches(case: _Case, verdict: Verdict) -> None:
    for act in case.acts["launched"]:
        if act["statuses"].count(200) > 1:
            verdict.find("answered", f"{act['campaign']} was launched {act['statuses'].count(200)} times")
    for act in case.acts["edit answered"]:
        if act["status"] == 200:
            verdict.find("answered", f"{act['campaign']} was changed on its way")


# --- I6 ------------------------------------------------------------------------------------------------------


def _only_when_it_may(case: _Case, verdict: Verdict) -> None:
    _within_rate(case, verdict)
    _within_silence_of_campaigns(case, verdict)
    hand = HAND * case.evidence.scale + case.evidence.held
    for line in case.accepted:
        body = case.created.get(word_of(line["body"]))
        if body is None:
            continue
        reference = plain(line["reference"])
        if body["purpose"] == "marketing" and number(line["to"]) in case.evidence.asleep:
            verdict.find("outside_window", "marketing went to somebody who sleeps", reference)
        if "send_by" in body and line["t"] > _moment(body["send_by"]) + hand:
            late = line["t"] - _moment(body["send_by"])
            verdict.find("outside_window", f"{late:.1f} s after the end of the offer", reference)


def _moment(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _within_rate(case: _Case, verdict: Verdict) -> None:
    by_sender: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for line in case.accepted:
        by_sender[number(line["from"])].append((line["t"], line["parts"]))
    for sender, taken in by_sender.items():
        rate = case.evidence.rates.get(sender, float("inf"))
        for seconds in SPANS:
            most = rate * (seconds + LATE) + min(case.batch, max(1.0, rate))
            if (worst := _densest(sorted(taken), seconds=seconds)) > most:
                span = "a second" if seconds == 1 else f"{seconds:g} seconds"
                verdict.find("rate", f"{worst} parts within {span} from a sender that may send {rate:g}")
    for sender, rows in case.evidence.most_submitting.items():
        if rows > min(case.batch, max(1.0, case.evidence.rates.get(sender, case.batch))):
            verdict.find("rate", f"{rows} rows of one lane in submitting at once, more than one batch")


def _densest(taken: Sequence[tuple[float, int]], *, seconds: float) -> int:
    """The most parts within any so many seconds."""
    most = total = first = 0
    for at, parts in taken:
        total += parts
        while taken[first][0] <= at - seconds:
            total -= taken[first][1]
            first += 1
        most = max(most, total)
    return most


def _within_silence_of_campaigns(case: _Case, verdict: Verdict) -> None:
    """After a pause or cancel was answered only the batch in hand may still be taken."""
    times: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for line in case.accepted:
        if word := word_of(line["body"]):
            times[word].append((line["t"], plain(line["reference"])))
    for taken in times.values():
        taken.sort()
    hand = HAND * case.evidence.scale + case.evidence.held
    for verb in ("pause", "cancel"):
        for act in case.acts[f"{verb} answered"]:
            if act["status"] != 200:
                continue
            name, begin = act["campaign"], act["t"]
            resumes = [one["t"] for one in case.acts["resume"] if one["campaign"] == name and one["t"] > begin]
            end = min(resumes, default=float("inf")) if verb == "pause" else float("inf")
            within = times[name][bisect_right(times[name], (begin, "~")) : bisect_left(times[name], (end, ""))]
            rate = case.evidence.rates.get(case.created[name]["sender"], case.batch)
            if len(within) > min(case.batch, max(1.0, rate)):
                verdict.find("after_pause", f"{len(within)} taken after the {verb} of {name} was answered")
            for at, reference in within:
                if at > begin + hand:
                    verdict.find(
                        "after_pause", f"taken {at - begin:.2f} s after the {verb} was answered", reference
                    )


# --- Figures -------------------------------------------------------------------------------------------------


def _figures(case: _Case, verdict: Verdict) -> None:
    states = Counter(row.state for row in case.evidence.rows)
    parked = [row.reference in case.by_reference for row in case.evidence.rows if row.state == "parked"]
    drains = [
        line["answered"] - line["started"]
        for line in case.of_kind["inbound"]
        if line["body"] == "STOP" and line["taken_at"]
    ]
    hooks = [
        line["answered"] - line["started"]
        for kind in ("inbound", "receipt")
        for line in case.of_kind[kind]
        if 200 <= line["status"] < 300
    ]
    recoveries = _recoveries(case)
    verdict.figures = {
        "messages": len(case.evidence.rows),
        "accepted": len(case.accepted),
        "twice": verdict.count("twice"),
        "after_stop": verdict.count("after_stop"),
        "outside_window": verdict.count("outside_window", "after_pause", "rate"),
        "lost": verdict.count("lost", "answered", "ledger"),
        "stuck": verdict.count("stuck"),
        "leaks": verdict.count("leak"),
        "deadlocks": case.evidence.deadlocks,
        "deploys": len(case.acts["deployed"]),
        "deploy_slowest": max((act["seconds"] for act in case.acts["deployed"]), default=0.0),
        "killed_frozen": sum(not act["was_alive"] for act in case.acts["thaw"]),
        "unknown": states["unknown"],
        "parked_sent": sum(parked),
        "parked_not_sent": len(parked) - sum(parked),
        "skipped": states["skipped"],
        "cancelled": states["cancelled"],
        "rejected": states["rejected"],
        "poison": sum(row.code == "POISON" for row in case.evidence.rows),
        "submitted_again": sum(row.submit_no > 1 for row in case.evidence.rows),
        "campaigns": len(case.created),
        "stops": len(drains),
        "drain_p50": percentile(drains, 50),
        "drain_p99": percentile(drains, 99),
        "webhooks": len(hooks),
        "webhook_p99": percentile(hooks, 99),
        "webhooks_refused": sum(
            not 200 <= line["status"] < 300 for kind in ("inbound", "receipt") for line in case.of_kind[kind]
        ),
        "recovery_p50": percentile(recoveries, 50),
        "recovery_p99": percentile(recoveries, 99),
        "most_submitting": max(case.evidence.most_submitting.values(), default=0),
        "lookups": len(case.of_kind["lookup"]),
    }


def _recoveries(case: _Case) -> list[float]:
    """For each harm: until the last of the campaigns that were just being sent goes on."""
    taken: dict[str, list[float]] = defaultdict(list)
    for line in case.accepted:
        if word := word_of(line["body"]):
            taken[word].append(line["t"])
    for times in taken.values():
        times.sort()
    found = []
    for harm in case.acts["harm"]:
        gaps = []
        for times in taken.values():
            position = bisect_right(times, harm["t"])
            if 0 < position < len(times) and harm["t"] - times[position - 1] < 1.5:
                gaps.append(times[position] - harm["t"])
        if gaps:
            found.append(max(gaps))
    return found


def percentile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))], 3)
