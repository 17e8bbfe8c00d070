"""A reply and a transactional message of the API while a campaign leaves as fast as it can: how long do they wait?

From the moment they were asked for (`created_at`, the beginning of the web process's work) to the carrier's log.
"""

import argparse
import json
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from smsdesk.simulator import journal
from tests import world
from tests.benchmarks import spans
from tests.benchmarks.rates import stage


def measure(options: argparse.Namespace) -> dict[str, object]:
    with stage.desk(options) as desk:
        desk.environment["SIMULATOR_URL"] = url = stage.carrier(desk, name="carrier", latency=options.latency)
        campaign = stage.sender(options.urgent_rate, messages=options.messages, carrier=url)
        stage.fill(desk, options, [campaign])
        order = {"people": options.probes, "sender": stage.value(0)}
        known = desk.python("tests.benchmarks.rates.talkers", json.dumps(order))
        desk.web()
        cluster = desk.cluster()
        log = desk.folder / "carrier.jsonl"
        world.wait_until(lambda: log.exists() and log.stat().st_size > 0, seconds=stage.PATIENCE, what="a message")
        time.sleep(stage.WARM)
        asked: dict[str, dict[str, float]] = {"reply": {}, "transactional": {}}
        workers = [
            threading.Thread(target=_ask, args=(desk, kind, known, options, asked[kind]), name=kind)
            for kind in asked
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        time.sleep(options.settle)
        world.end(cluster)
        lines = list(journal.read(log, kind="accepted"))
        failures = [len(known["threads"]) - len(found) for found in asked.values()]
    return {**_figures(lines, asked), "not_queued": sum(failures)}


def _ask(
    desk: world.World, kind: str, known: Mapping[str, Any], options: argparse.Namespace, asked: dict[str, float]
) -> None:
    """One after the other at an even pace; when each was asked for, by its text."""
    for number, thread in enumerate(known["threads"]):
        text = f"{kind.capitalize()} {number}: your order has left."
        if kind == "reply":
            path, body = f"conversations/{thread['ref']}/reply/", {"text": text, "last_seen": thread["last_seen"]}
        else:
            path = "messages/"
            body = {"to": thread["phone"], "purpose": "transactional", "text": text, "sender": stage.value(0)}
        headers = {"Authorization": f"Bearer {known['key']}", "Idempotency-Key": f"{kind}-{number}"}
        answer = desk.post_json(f"{desk.url}/api/v1/{path}", body, headers=headers)
        message = answer if kind == "reply" else answer["recipients"][0]["message"]
        if message is not None:
            asked[text] = datetime.fromisoformat(message["created_at"]).timestamp()
        time.sleep(options.gap)


def _figures(lines: list[dict[str, Any]], asked: Mapping[str, Mapping[str, float]]) -> dict[str, object]:
    arrived = {line["body"]: line["t"] for line in lines}
    campaign = [line["t"] for line in lines if not any(line["body"] in texts for texts in asked.values())]
    # Those that were asked for when the campaign was over have not waited behind it.
    over = max(campaign)
    said: dict[str, object] = {"campaign_per_second": spans.per_second(campaign)}
    for kind, texts in asked.items():
        during = {text: at for text, at in texts.items() if at <= over}
        found = [arrived[text] - at for text, at in during.items() if text in arrived]
        said[kind] = {**spans.waits(found), "asked_after_the_campaign": len(texts) - len(during)}
        said[f"{kind}_never_arrived"] = sum(text not in arrived for text in texts)
    references = [line["reference"] for line in lines]
    return {**said, "duplicates": len(references) - len(set(references))}
