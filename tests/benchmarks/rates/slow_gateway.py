"""A gateway that takes ten seconds to answer, beside two that do not: what of it do the others feel?"""

import argparse

from smsdesk.simulator import journal
from tests.benchmarks import spans
from tests.benchmarks.rates import stage

NORMAL = ("first", "second")


def measure(options: argparse.Namespace) -> dict[str, object]:
    alone, beside = (_others(options, with_slow=with_slow) for with_slow in (False, True))
    rates = {"without_slow": alone, "with_slow": beside}
    return {
        "allowed_per_second": options.gateway_rate,
        "slow_latency_ms": options.slow_latency,
        "seconds": options.seconds,
        **rates,
        "share_kept": round(float(str(beside["per_second"])) / max(0.01, float(str(alone["per_second"]))), 4),
    }


def _others(options: argparse.Namespace, *, with_slow: bool) -> dict[str, object]:
    count = round((options.seconds + stage.WARM + 12) * options.gateway_rate)
    with stage.desk(options) as desk:
        urls = [stage.carrier(desk, name=name, latency=options.latency) for name in NORMAL]
        slow = stage.carrier(desk, name="slow", latency=options.slow_latency)
        stage.fill(
            desk,
            options,
            [
                *(stage.sender(options.gateway_rate, messages=count, carrier=url) for url in urls),
                stage.sender(options.gateway_rate, messages=count if with_slow else 0, carrier=slow),
            ],
        )
        names = [*NORMAL, "slow"]
        found, duplicates = stage.send(desk, names=names, seconds=options.seconds)
        slow_ones = sum(1 for _ in journal.read(desk.folder / "slow.jsonl", kind="accepted"))
    times = [found.get(stage.value(number), []) for number in range(len(NORMAL))]
    rates = [round(len(one) / options.seconds, 1) for one in times]
    return {
        "per_second": round(sum(rates) / len(rates), 1),
        "each": rates,
        "share": round(sum(rates) / len(rates) / options.gateway_rate, 4),
        "busiest_second": max(map(spans.busiest, times)),
        "begun_at_the_slow_one": slow_ones,
        "duplicates": duplicates,
    }
