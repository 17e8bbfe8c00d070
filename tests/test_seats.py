"""No gateway account takes all threads of a process while others have something to send."""

from contextlib import ExitStack

from campaigns.seats import SLOW, Seats

HANGING, OTHER = 1, 2


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def seats(*account_ids, clock=None) -> Seats:
    made = Seats(4, clock=clock or Clock())
    made.seen(set(account_ids))
    return made


def taken(of: Seats, stack: ExitStack) -> int:
    """How many threads the hanging account gets."""
    return sum(stack.enter_context(of.taken(HANGING)) for _ in range(5))


def test_alone_an_account_has_all_threads():
    with ExitStack() as stack:
        assert taken(seats(HANGING), stack) == 5


def test_beside_another_one_it_leaves_a_thread():
    with ExitStack() as stack:
        made = seats(HANGING, OTHER)
        assert taken(made, stack) == 3
        assert made.is_free(OTHER)
        assert not made.is_free(HANGING)


def test_one_whose_calls_are_slow_leaves_half_of_them():
    clock = Clock()
    made = seats(HANGING, OTHER, clock=clock)
    with made.taken(HANGING):
        clock.now += SLOW + 0.1
    with ExitStack() as stack:
        assert taken(made, stack) == 2
    clock.now += 61
    made.seen({HANGING, OTHER})
    with ExitStack() as stack:
        assert taken(made, stack) == 3


def test_a_call_that_is_still_open_counts_as_slow():
    clock = Clock()
    made = seats(HANGING, OTHER, clock=clock)
    with ExitStack() as stack:
        stack.enter_context(made.taken(HANGING))
        clock.now += SLOW + 0.1
        assert taken(made, stack) == 1
