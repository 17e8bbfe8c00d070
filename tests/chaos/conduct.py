"""Rules of the judge about the desk itself: that it fails closed, locks in one order, kills what is overdue, ends
cleanly, and tells no log what is nobody's business. `judge.py` has those about messages.
"""

import re
from collections import defaultdict
from typing import Any

from tests.chaos.driver import CANARY
from tests.chaos.evidence import plain

JUDGED = 0.5  # seconds within which a batch that was judged has begun its calls, at any scale below 1:4
OVERDUE = 35.0  # seconds, unscaled: a batch is overdue, and its supervisor has looked
DEPLOY = 11.0  # seconds a host may take to end


# --- Fail closed, and in one order ---------------------------------------------------------------------------


def closed_while_unreadable(case: Any, verdict: Any) -> None:
    """While suppressions could not be read nothing began, but what had been judged just before."""
    for begin, end in zip(case.acts["unreadable"], case.acts["readable"], strict=False):
        for line in case.of_kind["seen"]:
            if begin["t"] + JUDGED < line["t"] < end["t"]:
                late = line["t"] - begin["t"]
                verdict.find("open", f"a call began {late:.2f} s after suppressions had become unreadable",
                             plain(line["reference"]))  # fmt: skip


def in_one_order(case: Any, verdict: Any) -> None:
    if case.evidence.deadlocks:
        verdict.find("deadlock", f"{case.evidence.deadlocks} deadlocks in the database")


# --- Frozen workers, and deploys --------------------------------------------------------------------------

# What may happen meanwhile and keeps no supervisor from its watch.
_BESIDE = {"kill_worker", "kill_helper", "freeze_worker", "kill_web_worker", "freeze_web_worker"}


def overdue_are_killed(case: Any, verdict: Any) -> None:
    """A worker frozen with a batch in hand is killed when the batch is overdue; it must not thaw after that."""
    thaws: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for act in case.acts["thaw"]:
        thaws[act["pid"]].append(act)
    for act in case.acts["freeze"]:
        thaw = next((one for one in thaws[act["pid"]] if one["t"] > act["t"]), None)
        if act["place"] != "submit.after_commit" or thaw is None or not thaw["was_alive"]:
            continue
        harms = {harm["kind"] for harm in case.acts["harm"] if act["t"] - 1 < harm["t"] < thaw["t"]}
        frozen = thaw["t"] - act["t"]
        if frozen > OVERDUE * case.evidence.scale + 5.0 and harms <= _BESIDE:
            verdict.find("overdue", f"a worker thawed with its batch after {frozen:.1f} s")


def deploys_are_clean(case: Any, verdict: Any) -> None:
    for act in case.acts["deployed"]:
        if act["seconds"] > DEPLOY:
            verdict.find("deploy", f"a host took {act['seconds']:.1f} s to end")
    if not case.evidence.is_only_deployed:
        return
    for row in case.evidence.rows:
        if any(word in row.evidence for word in ("worker", "lookups")):
            verdict.find("deploy", f"unknown by a deploy: {row.evidence[:120]}", row.reference)


# --- Leaks ---------------------------------------------------------------------------------------------------

_DIGITS = re.compile(r"\d{11,13}")


def no_leaks(case: Any, verdict: Any) -> None:
    evidence = case.evidence
    bare = {phone.lstrip("+") for phone in evidence.phones}
    for log in evidence.logs:
        text = log.read_text(errors="replace")
        for canary in (CANARY, *evidence.canaries):
            if canary and canary in text:
                at = text.index(canary)
                line = text[text.rfind("\n", 0, at) + 1 : at + 80]
                verdict.find("leak", f"{log.name} holds a text or a secret: {line[:200]!r}")
        found = set(_DIGITS.findall(text)) & bare
        if found:
            at = text.index(min(found))
            line = text[text.rfind("\n", 0, at) + 1 : at + 80]
            verdict.find("leak", f"{log.name} holds {len(found)} full numbers: {line[-240:]!r}")


RULES = (closed_while_unreadable, in_one_order, overdue_are_killed, deploys_are_clean, no_leaks)
