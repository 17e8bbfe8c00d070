"""Keeps programs running from outside: each in its own process group, restarted or fatal, never orphaned.

SIGTERM goes to a program's main process only, because the workers of a cluster die of it in mid-task; SIGKILL goes
to the whole group, because a cluster's children outlive its main process. One thread: children register themselves
with the undertaker between fork and exec, so there is no moment in which a killed supervisor would lose one.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from smsdesk import undertaker

STOP_WITHIN = 9.0  # seconds from SIGTERM to SIGKILL: everything has ended within ten
LOOK = 0.2
WATCH = 5.0  # seconds between two looks of the watchdog
BRIEF = 10.0  # a program that ends sooner than this is started again more and more slowly
LONGEST_WAIT = 30.0
LONGEST_LINE = 4_000
ROOT = Path(__file__).resolve().parent.parent  # where `-m smsdesk…` is found, wherever we were started


@dataclass(frozen=True, slots=True)
class Program:
    """One to keep running. Where it is not restarted, its end ends everything.

    `watch(seconds it has run, process group)` names what is wrong, or answers ""; then it is killed and restarted.
    `after_end` is called when its group is gone, before it is started again.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] | None = None
    is_restarted: bool = False
    watch: Callable[[float, int], str] | None = None
    after_end: Callable[[], None] | None = None


@dataclass(slots=True)
class _Child:
    program: Program
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    start_at: float = 0.0
    failures: int = 0
    kept: bytes = b""
    watched: float = field(default_factory=time.monotonic)


class Supervisor:
    """`run()` returns the exit status: 0 after a signal, otherwise that of the program which ended everything."""

    def __init__(
        self, programs: Sequence[Program], *, say: Callable[[str], None], stop_within: float | None = None
    ) -> None:
        self._children = [_Child(program) for program in programs]
        self._say = say
        self._stop_within = STOP_WITHIN if stop_within is None else stop_within
        self._selector = selectors.DefaultSelector()
        self._asked_to_stop = False
        self._width = max(len(program.name) for program in programs)
        self._undertaker = self._engage()

    def run(self) -> int:
        before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        status = 0
        try:
            while not self._asked_to_stop:
                for child in self._children:
                    if child.process is None and time.monotonic() >= child.start_at:
                        self._start(child)
                self._listen(LOOK)
                fatal = self._look()
                if fatal is not None:
                    status = fatal
                    break
        finally:
            self._stop()
            for number, handler in before.items():
                signal.signal(number, handler)
        return status

    def _ask(self, number: int, frame: object) -> None:
        self._asked_to_stop = True

    # --- One program ---------------------------------------------------------------------------------

    def _engage(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "smsdesk.undertaker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            cwd=ROOT,
        )

    def _start(self, child: _Child) -> None:
        book = self._book()

        def register() -> None:
            os.write(book, b"+%d\n" % os.getpid())

        child.process = subprocess.Popen(
            child.program.command,
            env=None if child.program.environment is None else dict(child.program.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=ROOT,
            preexec_fn=register,
        )
        child.started = child.watched = time.monotonic()
        output = child.process.stdout
        assert output is not None
        os.set_blocking(output.fileno(), False)
        self._selector.register(output, selectors.EVENT_READ, child)

    def _book(self) -> int:
        """The undertaker's input; a killed undertaker is replaced and told whom it is there for."""
        if self._undertaker.poll() is not None:
            self._undertaker = self._engage()
            for child in self._children:
                if child.process is not None:
                    self._note("+", child.process.pid)
        assert self._undertaker.stdin is not None
        return self._undertaker.stdin.fileno()

    def _note(self, sign: str, group: int) -> None:
        assert self._undertaker.stdin is not None
        with contextlib.suppress(OSError):
            os.write(self._undertaker.stdin.fileno(), f"{sign}{group}\n".encode())

    def _look(self) -> int | None:
        """Who has ended, who must be ended; the status of a program without which the others are no use."""
        self._book()
        for child in self._children:
            if child.process is None:
                continue
            ended = child.process.poll()
            if ended is None and self._is_well(child):
                continue
            if not child.program.is_restarted:
                self._say(f"{child.program.name} ended with status {ended}.")
                return ended if ended and ended > 0 else 1
            self._restart_later(child, ended)
        return None

    def _is_well(self, child: _Child) -> bool:
        if child.program.watch is None or child.process is None or time.monotonic() - child.watched < WATCH:
            return True
        child.watched = time.monotonic()
        trouble = child.program.watch(time.monotonic() - child.started, child.process.pid)
        if trouble:
            self._say(f"{child.program.name}: {trouble} It is killed and started again.")
        return not trouble

    def _restart_later(self, child: _Child, ended: int | None) -> None:
        ran = time.monotonic() - child.started
        if ended is not None:
            self._say(f"{child.program.name} ended with status {ended}; it is started again.")
        self._end(child)
        child.failures = child.failures + 1 if ran < BRIEF else 0
        child.start_at = time.monotonic() + min(2.0**child.failures - 1, LONGEST_WAIT)

    def _end(self, child: _Child) -> None:
        """Nothing of it is left afterwards, its children included."""
        if child.process is None:
            return
        group = child.process.pid
        undertaker.kill(group)
        child.process.wait()
        self._note("-", group)
        self._close(child)
        child.process = None
        if child.program.after_end is not None:
            child.program.after_end()

    # --- All of them ---------------------------------------------------------------------------------

    def _stop(self) -> None:
        running = [child for child in self._children if child.process is not None]
        for child in running:
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
        until = time.monotonic() + self._stop_within
        while time.monotonic() < until and any(c.process and c.process.poll() is None for c in running):
            self._listen(LOOK)
        for child in running:
            self._end(child)
        if self._undertaker.stdin is not None:
            self._undertaker.stdin.close()
        self._undertaker.wait(undertaker.GRACE)
        self._selector.close()

    # --- What they say -------------------------------------------------------------------------------

    def _listen(self, seconds: float) -> None:
        if not self._selector.get_map():
            time.sleep(seconds)
            return
        for key, _ in self._selector.select(seconds):
            self._read(key.data, key.fileobj)  # type: ignore[arg-type]

    def _read(self, child: _Child, output: IO[bytes]) -> None:
        try:
            chunk = os.read(output.fileno(), 65_536)
        except BlockingIOError:
            return
        if not chunk:
            self._selector.unregister(output)
            return
        *lines, child.kept = (child.kept + chunk).split(b"\n")
        if len(child.kept) > LONGEST_LINE:
            lines, child.kept = [*lines, child.kept], b""
        for line in lines:
            self._show(child, line)

    def _show(self, child: _Child, line: bytes) -> None:
        text = line[:LONGEST_LINE].decode("utf-8", "replace").rstrip()
        if text:
            self._say(f"{child.program.name.ljust(self._width)} | {text}")

    def _close(self, child: _Child) -> None:
        output = child.process.stdout if child.process else None
        if output is None:
            return
        with contextlib.suppress(KeyError, ValueError):
            self._read(child, output)
            self._selector.unregister(output)
        self._show(child, child.kept)
        child.kept = b""
        output.close()
