"""What a process took, read from /proc."""

import os
import resource
import time
from pathlib import Path

from django.db import connection


def peak_mb(pid: int | str = "self") -> float:
    """Most memory the process ever had resident; 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    peak = next((line for line in text.splitlines() if line.startswith("VmHWM")), "VmHWM: 0 kB")
    return round(int(peak.split()[1]) / 1024, 1)


def cpu_seconds(pid: int | str = "self", *, ended: bool = False) -> float:
    """User and system time of all its threads, with `ended` also of children that are gone; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return round(sum(map(int, fields[11 : 15 if ended else 13])) / os.sysconf("SC_CLK_TCK"), 2)


def machine_seconds() -> float:
    """CPU seconds this machine takes to add up ten million numbers: what figures of another day are compared by."""
    begun = time.process_time()
    total = 0
    for number in range(10_000_000):
        total += number
    return round(time.process_time() - begun, 2)


class Taken:
    """Seconds and CPU seconds of this process since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.monotonic(), _own_cpu()

    def figures(self, rows: int) -> dict[str, float]:
        """As they stand in a benchmark's result: time, rate, and the peak of this process since it began."""
        seconds = time.monotonic() - self._wall
        return {
            "rows": rows,
            "seconds": round(seconds, 3),
            "rows_per_second": round(rows / seconds),
            "cpu_seconds": round(self.cpu_seconds(), 2),
            "peak_mb": peak_mb(),
        }

    def cpu_seconds(self) -> float:
        return _own_cpu() - self._cpu


class Backend:
    """CPU time of the database server, all its processes, ended ones too, where it runs on this machine; else 0."""

    def __init__(self) -> None:
        self._server = 0
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                self._server = _parent(cursor.fetchone()[0])
        self._before = self._total()

    def cpu_seconds(self) -> float:
        """Since this was made."""
        return round(self._total() - self._before, 2)

    def _total(self) -> float:
        if not self._server:
            return 0.0
        alive = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
        own = [pid for pid in alive if _parent(pid) == self._server]
        return cpu_seconds(self._server, ended=True) + sum(map(cpu_seconds, own))


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
