"""Failpoints do nothing until they are armed, then exactly what they were told."""

import os
import signal
import time

import pytest

from smsdesk import failpoints


@pytest.fixture
def journal(tmp_path):
    yield tmp_path / "failpoints.jsonl"
    failpoints.arm("", journal=None)


def told(journal):
    return [(line["name"], line["what"]) for line in failpoints.read(journal)]


def test_nothing_happens_where_none_is_armed(journal):
    failpoints.hit("submit.after_commit")
    assert told(journal) == []


def test_the_second_hit_raises_and_no_other(journal):
    failpoints.arm("a=raise@2", journal=journal)
    failpoints.hit("a")
    with pytest.raises(failpoints.Failure):
        failpoints.hit("a")
    failpoints.hit("a")
    failpoints.hit("b")
    assert told(journal) == [("a", "met"), ("a", "raise")]


def test_a_hold_waits_so_many_milliseconds(journal):
    failpoints.arm("a=hold:30@1", journal=journal)
    begun = time.monotonic()
    failpoints.hit("a")
    assert time.monotonic() - begun >= 0.03


def test_every_name_that_is_reached_is_watched(journal):
    failpoints.arm("*=watch", journal=journal)
    failpoints.hit("a")
    failpoints.hit("b")
    failpoints.hit("a")
    assert told(journal) == [("a", "met"), ("b", "met")]


def test_hits_of_all_processes_are_counted_together(journal):
    failpoints.arm("a=kill@2", journal=journal)
    endings = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            failpoints.hit("a")
            os._exit(0)
        endings.append(os.waitpid(pid, 0)[1])
    assert endings == [0, signal.SIGKILL, 0]


def test_a_frozen_process_stays_until_it_is_woken(journal):
    failpoints.arm("a=stop@1", journal=journal)
    pid = os.fork()
    if pid == 0:
        failpoints.hit("a")
        os._exit(0)
    assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
    os.kill(pid, signal.SIGCONT)
    assert os.waitpid(pid, 0)[1] == 0


@pytest.mark.parametrize("text", ["a", "a=explode@1", "a=hold:x@1", "=kill@1"])
def test_a_failpoint_nobody_can_follow_is_refused(text, journal):
    with pytest.raises(failpoints.BadFailpoint):
        failpoints.arm(text, journal=journal)


def test_a_failpoint_needs_a_place_to_write_to():
    with pytest.raises(failpoints.BadFailpoint, match="JOURNAL"):
        failpoints.arm("a=kill@1", journal=None)
