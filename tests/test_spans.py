"""The arithmetic of the benchmarks: a rate that is counted wrongly would be believed."""

import random

import pytest

from tests.benchmarks import spans


def test_a_rate_counts_the_gaps_between_moments():
    assert spans.per_second([10.0, 10.5, 11.0, 11.5, 12.0]) == 2.0
    assert spans.per_second([3.0]) == spans.per_second([]) == 0.0


def test_bursts_of_a_second_each_are_not_counted_one_too_often():
    bursts = [second + n / 10_000 for second in range(5) for n in range(100)]
    assert spans.slope(bursts) == pytest.approx(100, abs=0.5)
    assert spans.per_second(bursts) > 120
    assert spans.slope([n / 50 for n in range(200)]) == pytest.approx(50)
    assert spans.slope([4.0, 4.0]) == spans.slope([]) == 0.0


def test_the_busiest_second_may_begin_anywhere_and_leaves_its_end_out():
    assert spans.busiest([0.0, 0.9, 1.0, 1.1, 1.2, 1.89, 5.0]) == 5
    assert spans.busiest([0.0, 1.0, 2.0]) == 1
    assert spans.busiest([]) == 0


def test_the_busiest_second_is_that_of_counting_every_window():
    chance = random.Random(7)
    times = [chance.uniform(0, 20) for _ in range(300)]
    assert spans.busiest(times) == max(sum(begin <= one < begin + 1 for one in times) for begin in times)


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100)])
def test_a_quantile_is_a_value_that_was_seen(share, wanted):
    assert spans.quantile(list(range(100, 0, -1)), share) == wanted


def test_of_one_wait_all_quantiles_are_it():
    assert spans.waits([0.25]) == {
        "count": 1,
        "p50_ms": 250.0,
        "p95_ms": 250.0,
        "p99_ms": 250.0,
        "longest_ms": 250.0,
    }
    assert spans.waits([]) == {"count": 0}
