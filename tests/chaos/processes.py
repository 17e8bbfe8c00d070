"""Who is who among the desk's processes, read from /proc; only descendants of what we started are ever named."""

import contextlib
import os
import signal
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

DRAINING = 3  # threads: a worker that sends has its lanes' and the pulse's


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    parent: int
    threads: int
    command: str


def table() -> dict[int, Process]:
    """Every living process of this machine, by pid."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            if fields[0] in "ZX":
                continue
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            pid = int(path.name)
            found[pid] = Process(pid, int(fields[1]), int(fields[17]), command)
    return found


@dataclass(frozen=True, slots=True)
class Tree:
    """The processes of one host by what they do."""

    web: list[int]
    web_workers: list[int]
    cluster: list[int]
    sentinel: list[int]
    workers: list[int]  # those that send
    helpers: list[int]  # pusher, monitor, idle workers

    def of(self, role: str) -> list[int]:
        return list(getattr(self, role))


def trees(hosts: list[int]) -> Tree:
    everybody = table()
    children: dict[int, list[Process]] = defaultdict(list)
    for process in everybody.values():
        children[process.parent].append(process)
    web: list[int] = []
    web_workers: list[int] = []
    cluster: list[int] = []
    sentinel: list[int] = []
    workers: list[int] = []
    helpers: list[int] = []
    for host in hosts:
        for leader in children[host]:
            if "gunicorn" in leader.command:
                web.append(leader.pid)
                web_workers += [child.pid for child in children[leader.pid]]
            elif "qcluster" in leader.command:
                cluster.append(leader.pid)
                for one in children[leader.pid]:
                    if children[one.pid]:
                        sentinel.append(one.pid)
                    for child in children[one.pid]:
                        (workers if child.threads >= DRAINING else helpers).append(child.pid)
    return Tree(web, web_workers, cluster, sentinel, workers, helpers)


def descendants(roots: list[int]) -> list[int]:
    """The roots and all below them."""
    everybody = table()
    children: dict[int, list[int]] = defaultdict(list)
    for process in everybody.values():
        children[process.parent].append(process.pid)
    found: list[int] = []
    waiting = [pid for pid in roots if pid in everybody]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children[pid]
    return found


def send(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def cpu_seconds(pid: int) -> float:
    """Of the process and of those of its children that it has buried."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(value) for value in fields[11:15]) / os.sysconf("SC_CLK_TCK")
