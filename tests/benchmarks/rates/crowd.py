"""Hundreds of slow senders and one fast one, served by the same few workers: does each get its share?"""

import argparse
import statistics

from tests.benchmarks import spans
from tests.benchmarks.rates import stage


def measure(options: argparse.Namespace) -> dict[str, object]:
    # Enough for the window and what leaves before and after it.
    length = options.crowd_seconds + stage.WARM + 12
    with stage.desk(options) as desk:
        url = stage.carrier(desk, name="carrier", latency=options.latency)
        slow = stage.sender(options.slow_rate, messages=length * options.slow_rate, carrier=url)
        fast = stage.sender(options.fast_rate, messages=length * options.fast_rate, carrier=url)
        stage.fill(desk, options, [fast, *[slow] * options.slow])
        found, duplicates = stage.send(desk, names=["carrier"], seconds=options.crowd_seconds)
    quick = found.get(stage.value(0), [])
    counts = [len(found.get(stage.value(number), [])) for number in range(1, options.slow + 1)]
    shares = [count / options.crowd_seconds / options.slow_rate for count in counts]
    fast_share = len(quick) / options.crowd_seconds / options.fast_rate
    return {
        "slow_senders": options.slow,
        "slow_allowed_per_second": options.slow_rate,
        "fast_allowed_per_second": options.fast_rate,
        "seconds": options.crowd_seconds,
        "slow_share_min": round(min(shares), 3),
        "slow_share_median": round(statistics.median(shares), 3),
        "slow_share_max": round(max(shares), 3),
        "fast_share": round(fast_share, 3),
        "fast_busiest_second": spans.busiest(quick),
        "taken": len(quick) + sum(counts),
        "duplicates": duplicates,
    }
