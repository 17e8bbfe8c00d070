"""One sender at its rate: is it kept, and never exceeded?"""

import argparse

from tests.benchmarks import sending, spans
from tests.benchmarks.rates import stage

RATES = (100, 500, 2_000)


def measure(options: argparse.Namespace) -> dict[str, object]:
    return {str(rate): _at(rate, options) for rate in options.rates}


def _at(rate: int, options: argparse.Namespace) -> dict[str, object]:
    with stage.desk(options) as desk:
        whole = sending.measure(
            desk,
            argparse.Namespace(
                messages=int(rate * options.seconds), dialect=options.dialect, rate=rate, calls=options.calls,
                latency=options.latency, workers=options.senders + 1, threads=options.threads,
            ),
        )  # fmt: skip
        times = [line["t"] for line in desk.carrier_log("accepted") for _ in range(line["parts"])]
    achieved = spans.slope(times)
    return {
        "allowed_per_second": rate,
        "achieved_per_second": achieved,
        "share": round(achieved / rate, 4),
        "first_to_last_per_second": spans.per_second(times),
        "busiest_second": spans.busiest(times),
        "seconds": round(max(times) - min(times), 2),
        "accepted": whole["accepted"],
        "duplicates": whole["duplicates"],
    }
