"""The supervisor with real processes: what it starts it restarts, ends in time, and never leaves behind."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django_q.models import OrmQ

from campaigns.models import Lane, OutboundMessage, OutboundState
from smsdesk import clock, processes, supervisor, undertaker
from smsdesk.management import desk_processes
from smsdesk.models import Heartbeat
from tests import factories
from tests.world import wait_until

ROOT = Path(__file__).resolve().parent.parent

# Writes down who it is and who its child is; ends by SIGTERM unless told to be stubborn.
FAMILY = """
import os, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open(sys.argv[1], "a") as book:
    book.write(f"{os.getpid()} {child.pid}\\n")
print("hello", flush=True)
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "brief" in sys.argv:
    sys.exit(int(sys.argv[-1]))
time.sleep(600)
"""

DRIVER = """
import sys
from smsdesk.supervisor import Program, Supervisor
from smsdesk import supervisor
supervisor.STOP_WITHIN, supervisor.WATCH = 2.0, 0.2
command = [sys.executable, "-c", {family!r}, {book!r}, *{words!r}]
def watch(ran, group):
    return "it makes no progress." if {watched!r} and ran > 0.5 else ""
def after_end():
    print("after end", flush=True)
one = Program("one", command, is_restarted={restarted!r}, watch=watch, after_end=after_end)
sys.exit(Supervisor([one], say=lambda line: print(line, flush=True)).run())
"""


class Run:
    def __init__(self, folder: Path, *words: str, restarted: bool = True, watched: bool = False) -> None:
        self.book = folder / "book"
        text = DRIVER.format(family=FAMILY, book=str(self.book), words=words, restarted=restarted, watched=watched)
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(text)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )

    def families(self) -> list[list[int]]:
        if not self.book.exists():
            return []
        return [[int(pid) for pid in line.split()] for line in self.book.read_text().splitlines()]

    def pids(self) -> list[int]:
        return [pid for family in self.families() for pid in family]

    def until_started(self, times: int = 1) -> None:
        wait_until(lambda: len(self.families()) >= times, seconds=15, what="the program's start")

    def nobody_is_left(self) -> bool:
        return not any(is_alive(pid) for pid in self.pids())


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def start(tmp_path):
    runs: list[Run] = []

    def begin(*words: str, **options: bool) -> Run:
        runs.append(Run(tmp_path, *words, **options))
        return runs[-1]

    yield begin
    for run in runs:
        run.process.kill()
        run.process.communicate()
        for pid in run.pids():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_and_is_no_failure(start, number):
    run = start()
    run.until_started()
    run.process.send_signal(number)
    output, _ = run.process.communicate(timeout=15)
    assert run.process.returncode == 0
    assert "one | hello" in output
    assert run.nobody_is_left()


def test_a_program_that_ignores_sigterm_is_killed_in_time(start):
    run = start("stubborn")
    run.until_started()
    begun = time.monotonic()
    run.process.terminate()
    run.process.communicate(timeout=15)
    assert time.monotonic() - begun < 10
    assert run.nobody_is_left()


@pytest.mark.parametrize("status", ["0", "3"])
def test_a_program_that_ends_is_started_again_whatever_its_status(start, status):
    run = start("brief", status)
    run.until_started(times=2)
    first = run.families()[0]
    assert not any(is_alive(pid) for pid in first)  # its orphan too
    run.process.terminate()
    output, _ = run.process.communicate(timeout=15)
    assert f"ended with status {status}; it is started again" in output
    assert "after end" in output


def test_the_end_of_an_essential_program_ends_all_with_its_status(start):
    run = start("brief", "3", restarted=False)
    run.process.communicate(timeout=15)
    assert run.process.returncode == 3
    assert run.nobody_is_left()


def test_a_program_without_progress_is_killed_with_its_group(start):
    run = start("stubborn", watched=True)
    run.until_started(times=2)
    assert not any(is_alive(pid) for pid in run.families()[0])
    run.process.terminate()
    output, _ = run.process.communicate(timeout=15)
    assert "it makes no progress. It is killed and started again." in output


def test_a_supervisor_killed_with_9_leaves_nobody(start):
    run = start()
    run.until_started()
    run.process.kill()
    run.process.wait()
    wait_until(run.nobody_is_left, seconds=undertaker.GRACE + 5, what="the end of the orphans")


def test_everything_has_ended_within_ten_seconds_of_the_signal():
    assert supervisor.STOP_WITHIN + supervisor.LOOK < 10


def test_a_line_longer_than_the_limit_does_not_fill_the_memory(tmp_path):
    said: list[str] = []
    program = supervisor.Program("loud", [sys.executable, "-c", "print('x' * 50_000)"])
    supervisor.Supervisor([program], say=said.append).run()
    assert all(len(line) < supervisor.LONGEST_LINE + 100 for line in said)


# --- The desk's own programs ------------------------------------------------------------------------------


def test_a_taken_port_is_said_in_one_sentence_with_the_cure():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CommandError, match=f"Port {port} is taken.*--port"):
            desk_processes.refuse_taken(port, host="127.0.0.1", option="--port")


def test_a_port_that_is_none_is_refused():
    with pytest.raises(CommandError, match="no port"):
        desk_processes.refuse_taken(70_000, host="127.0.0.1", option="--port")


@pytest.mark.django_db
def test_runall_refuses_a_taken_port_before_it_starts_anything():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(CommandError, match="is taken"):
            call_command("runall", port=other.getsockname()[1])


@pytest.mark.django_db
def test_a_cluster_without_heartbeat_is_in_trouble_after_two_minutes():
    assert desk_processes.trouble_of_cluster(119, os.getpgid(0)) == ""
    assert "no sign of progress" in desk_processes.trouble_of_cluster(121, os.getpgid(0))


@pytest.mark.django_db
def test_a_cluster_just_started_is_not_judged_by_the_beats_of_the_one_before():
    Heartbeat.objects.create(name="tick", beat_at=clock.database_now() - timedelta(hours=1))
    assert desk_processes.trouble_of_cluster(5, os.getpgid(0)) == ""


@pytest.mark.django_db
def test_a_beating_cluster_is_left_alone():
    Heartbeat.objects.create(name="tick", beat_at=clock.database_now())
    assert desk_processes.trouble_of_cluster(10_000, os.getpgid(0)) == ""


def submitting(*, holder: str, seconds_ago: float) -> OutboundMessage:
    sender = factories.sender()
    now = clock.database_now()
    token = uuid.uuid4()
    lane = Lane.objects.create(
        sender=sender, token=token, holder=holder, lease_until=now + timedelta(seconds=40), next_free_at=now
    )
    person = factories.contact()
    return OutboundMessage.objects.create(
        kind="reply", purpose="conversational", brand=sender.brand, contact=person, phone=person.phone,
        subscriber_key=person.subscriber_key, sender=sender, lane=lane, state=OutboundState.SUBMITTING,
        token=token, submitted_at=now - timedelta(seconds=seconds_ago), due_at=now, created_at=now,
    )  # fmt: skip


@pytest.mark.django_db
def test_a_worker_frozen_in_a_batch_is_found():
    submitting(holder=processes.identity(), seconds_ago=26)
    assert desk_processes.overdue_workers(os.getpgid(0)) == [os.getpid()]
    assert desk_processes.overdue_workers(os.getpgid(0) + 1) == []  # another cluster's supervisor sees to its own


@pytest.mark.django_db
def test_a_worker_frozen_in_a_batch_is_killed():
    frozen = subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"], stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        frozen.stdout.readline()
        os.kill(frozen.pid, signal.SIGSTOP)
        place = processes.identity().rsplit(":", 2)[0]
        started = Path(f"/proc/{frozen.pid}/stat").read_text().rpartition(")")[2].split()[19]
        submitting(holder=f"{place}:{frozen.pid}:{started}", seconds_ago=26)
        desk_processes.trouble_of_cluster(1.0, frozen.pid)
        assert frozen.wait(5) == -signal.SIGKILL
    finally:
        frozen.kill()
        frozen.stdout.close()
        frozen.wait()


@pytest.mark.django_db
def test_a_worker_inside_its_time_is_not_killed():
    submitting(holder=processes.identity(), seconds_ago=20)
    assert desk_processes.overdue_workers(os.getpgid(0)) == []


@pytest.mark.django_db
def test_the_lanes_of_a_dead_cluster_are_free_at_once():
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    holder = f"{processes.identity().rsplit(':', 2)[0]}:{gone.pid}:1"
    message = submitting(holder=holder, seconds_ago=1)
    desk_processes.after_cluster()
    message.refresh_from_db()
    assert message.state == OutboundState.UNKNOWN
    assert message.lane.lease_until <= clock.database_now()


@pytest.mark.django_db
def test_the_next_drain_does_not_wait_for_the_clock_when_one_has_died():
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    here = processes.identity().rsplit(":", 2)[0]
    for who in (f"{here}:{gone.pid}:1", processes.identity(), "elsewhere/1:1:1"):
        Heartbeat.objects.create(name=f"drain:{who}", beat_at=clock.database_now())
    assert desk_processes.trouble_of_cluster(1.0, os.getpgid(0)) == ""
    desk_processes.trouble_of_cluster(1.0, os.getpgid(0))
    assert Heartbeat.objects.count() == 2  # who lives, and who is on another host, where nobody here can say
    assert OrmQ.objects.count() == 1
