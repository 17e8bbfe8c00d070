"""Figures of a series: how many in a second, at most in any second, and what most of them waited."""

from collections.abc import Sequence


def per_second(times: Sequence[float]) -> float:
    """From the first to the last of these moments; 0 where there are fewer than two."""
    span = max(times) - min(times) if times else 0.0
    return round((len(times) - 1) / span, 2) if span else 0.0


def slope(times: Sequence[float]) -> float:
    """So many a second, by least squares of their count over time; 0 where all came at once.

    What leaves in bursts, a second's worth each, is not counted one burst too often, as it is from first to last.
    """
    ordered = sorted(times)
    if len(ordered) < 2 or ordered[0] == ordered[-1]:
        return 0.0
    middle_time, middle_count = sum(ordered) / len(ordered), (len(ordered) - 1) / 2
    spread = sum((one - middle_time) ** 2 for one in ordered)
    together = sum((one - middle_time) * (count - middle_count) for count, one in enumerate(ordered))
    return round(together / spread, 2)


def busiest(times: Sequence[float], *, seconds: float = 1.0) -> int:
    """The most moments in any half-open window of so many seconds, wherever it begins."""
    ordered = sorted(times)
    most = begin = 0
    for end, moment in enumerate(ordered):
        while moment - ordered[begin] >= seconds:
            begin += 1
        most = max(most, end - begin + 1)
    return most


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]


def waits(seconds: Sequence[float], *, digits: int = 1) -> dict[str, float]:
    """p50, p95, p99 and the longest, in milliseconds."""
    if not seconds:
        return {"count": 0}
    named = {f"p{round(share * 100)}_ms": quantile(seconds, share) for share in (0.5, 0.95, 0.99)}
    return {
        "count": len(seconds),
        **{name: round(value * 1000, digits) for name, value in named.items()},
        "longest_ms": round(max(seconds) * 1000, digits),
    }
