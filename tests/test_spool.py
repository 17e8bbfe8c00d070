"""What is kept on disk in an outage: all of it, for nobody else's eyes, and once only."""

import os
import stat
import threading
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from smsdesk import spool
from smsdesk.gateways.contract import HookEvents, InboundText, Receipt
from smsdesk.gateways.errors import ErrorClass

NOW = datetime(2026, 11, 30, 1, 2, 3, tzinfo=UTC)
ACCOUNT = uuid4()


class Away(Exception):
    pass


@pytest.fixture(autouse=True)
def folder(tmp_path, settings):
    settings.DATA_DIR = tmp_path
    yield tmp_path / "spool"
    spool._own.close()


def receipt(key: str) -> Receipt:
    return Receipt(
        event_key=key, reference=uuid4(), gateway_id="SM1", word="sent", state="sent", code="7",
        error_class=ErrorClass.CARRIER, permanent=True, parts=2, at=NOW, raw={"a": {"b": 1}},
    )  # fmt: skip


def keep(*keys: str) -> HookEvents:
    events = HookEvents(receipts=tuple(map(receipt, keys)))
    spool.keep(ACCOUNT, events, now=NOW)
    return events


def replayed(**over) -> list[spool.Kept]:
    seen: list[spool.Kept] = []
    spool.replay(over.pop("store", seen.append), given_up=(ValueError,))
    return seen


def test_what_was_kept_comes_back_as_it_was_and_is_gone_then():
    events = keep("a", "b")
    text = InboundText(event_key="t", gateway_id="t", phone="+12025550111", sender="+1202", text="STÖP ✓", at=NOW)
    spool.keep(ACCOUNT, HookEvents(inbound=(text,)), now=NOW)
    assert replayed() == [spool.Kept(ACCOUNT, events, NOW), spool.Kept(ACCOUNT, HookEvents(inbound=(text,)), NOW)]
    assert spool.is_empty()
    assert replayed() == []


def test_nobody_else_can_read_it(folder):
    text = InboundText(event_key="t", gateway_id="t", phone="+12025550111", sender="", text="canary text")
    spool.keep(ACCOUNT, HookEvents(inbound=(text,)), now=NOW)
    (file,) = folder.glob("*.waiting")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert b"canary" not in file.read_bytes()
    assert b"5550111" not in file.read_bytes()


def test_a_spool_that_is_full_refuses(settings):
    keep("a")
    settings.SPOOL_MB = 0
    with pytest.raises(spool.Full):
        keep("b")
    assert len(replayed()) == 1


def test_an_entry_that_can_never_be_stored_is_set_aside_and_keeps_no_other_back():
    keep("a")
    keep("poison")
    keep("b")
    seen = []

    def store(kept):
        if kept.events.receipts[0].event_key == "poison":
            raise ValueError
        seen.append(kept.events.receipts[0].event_key)

    replayed(store=store)
    assert seen == ["a", "b"]
    assert (spool.content().waiting, spool.content().set_aside) == (0, 1)


def test_while_the_database_is_still_away_nothing_is_lost():
    keep("a")
    keep("b")

    def store(kept):
        if kept.events.receipts[0].event_key == "b":
            raise Away

    with pytest.raises(Away):
        replayed(store=store)
    assert [one.events.receipts[0].event_key for one in replayed()] == ["a", "b"]


def test_a_line_that_was_cut_off_or_changed_harms_no_other(folder):
    keep("a")
    keep("b")
    spool._own.close()
    (file,) = folder.glob("*.waiting")
    first, second = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(first + second[:50] + b"x" + second[51:] + b"not a line\n" + first[:-9])
    assert [one.events.receipts[0].event_key for one in replayed()] == ["a"]
    assert spool.content().set_aside == 2  # the cut-off one was never acknowledged


def test_a_write_that_fails_leaves_no_half_line(monkeypatch):
    keep("a")
    write = os.write

    def short(number, line):
        return write(number, line[:20])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", short)
        with pytest.raises(OSError, match="part"):
            keep("b")
    keep("c")
    assert [one.events.receipts[0].event_key for one in replayed()] == ["a", "c"]


def test_threads_that_keep_and_replay_at_once_lose_nothing():
    seen: list[str] = []
    done = threading.Event()

    def write(name):
        for number in range(40):
            keep(f"{name}-{number}")

    def read():
        while not done.is_set():
            spool.replay(lambda kept: seen.append(kept.events.receipts[0].event_key), given_up=(ValueError,))

    writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    reader = threading.Thread(target=read)
    for one in (*writers, reader):
        one.start()
    for one in writers:
        one.join()
    done.set()
    reader.join()
    spool.replay(lambda kept: seen.append(kept.events.receipts[0].event_key), given_up=(ValueError,))
    assert sorted(seen) == sorted(f"{name}-{number}" for name in "abcd" for number in range(40))
    assert spool.is_empty()
