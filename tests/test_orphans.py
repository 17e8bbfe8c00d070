"""The end of a real cluster: nobody stays behind who would work unguarded, and no message whose fate is open."""

import argparse
import os
import signal
from pathlib import Path

import pytest

from tests import world
from tests.benchmarks import shutdown


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    url = os.environ.get("DATABASE_URL", "")
    with world.world(tmp_path_factory.mktemp("desk"), database_url=url, workers=2) as made:
        made.migrate()
        yield made


@pytest.mark.parametrize("victim", ["main", "guard"])
def test_nobody_outlives_a_killed_parent(desk, victim):
    cluster = desk.cluster()
    world.wait_until(lambda: len(world.workers_of(cluster)) >= 6, seconds=30, what="main, guard and four children")
    (guard,) = [pid for pid in world.workers_of(cluster) if parent_of(pid) == cluster.pid]
    assert len([pid for pid in world.workers_of(cluster) if parent_of(pid) == guard]) == 4

    os.kill(cluster.pid if victim == "main" else guard, signal.SIGKILL)

    cluster.wait(10)
    world.wait_until(lambda: world.workers_of(cluster) == [], seconds=5, what="the end of the orphans")
    desk.processes.remove(cluster)  # meant to end


def test_a_cluster_asked_to_end_in_full_flight_ends_soon_and_leaves_nothing_open(desk):
    options = argparse.Namespace(times=1, messages=300, rate=50.0, latency=50.0)
    figures = shutdown.measure(desk, options)
    assert figures["longest_seconds"] < 10
    assert (figures["left_open"], figures["duplicates"]) == (0, 0)
