"""What a change must pass is played again only for what a busy machine may have done."""

import pytest

from tests.chaos import brief


def line(*violations: str, **counts: int) -> dict[str, object]:
    return {
        "violations": list(violations),
        "twice": 0,
        "after_stop": 0,
        "lost": 0,
        "leaks": 0,
        "deadlocks": 0,
        **counts,
    }


@pytest.mark.parametrize(
    ("told", "is_played_again"),
    [
        (line(), False),
        (line("rate: 59 parts within a second"), True),
        (line("stuck: queued", "after_pause: taken 4.01 s after"), True),
        (line("rate: 59 parts within a second", "twice: m1"), False),
        (line("rate: 59 parts within a second", lost=1), False),
        (line("outside_window: 0.3 s after the end of the offer"), False),
    ],
)
def test_only_rules_of_time_get_a_second_chance(told, is_played_again):
    assert brief._is_late_alone(told) == is_played_again
