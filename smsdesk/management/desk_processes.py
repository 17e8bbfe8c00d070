"""What a running desk consists of: web, worker cluster and, where asked for, the carrier simulator."""

import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.db.models import F, Max

from campaigns import pulse
from campaigns.models import OutboundMessage, OutboundState
from campaigns.times import TIMES
from smsdesk import clock, processes, wakeups
from smsdesk.models import Heartbeat
from smsdesk.supervisor import Program

MANAGE = Path(settings.BASE_DIR) / "manage.py"


def refuse_taken(port: int, *, host: str, option: str) -> None:
    """Raises `CommandError` with the cure when nothing can listen on `port`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            why = "is taken" if problem.errno == errno.EADDRINUSE else f"cannot be used ({problem.strerror})"
            raise CommandError(
                f"Port {port} {why}. Stop what uses it, or choose another with {option}."
            ) from problem
        except OverflowError as problem:
            raise CommandError(f"{port} is no port. Choose one from 1024 to 65535 with {option}.") from problem


def web(*, host: str, port: int, environment: Mapping[str, str] | None = None) -> Program:
    """gunicorn of the same interpreter. One process on SQLite, which has one writer; two on PostgreSQL."""
    workers = "2" if connection.vendor == "postgresql" else "1"
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    command = [
        sys.executable, "-m", "gunicorn", "smsdesk.wsgi:application", "--bind", address, "--chdir",
        str(settings.BASE_DIR), "--worker-class", "gthread", "--workers", workers, "--threads", "8",
        "--no-control-socket", "--log-level", "warning", "--graceful-timeout", "5",
    ]  # fmt: skip
    return Program("web", command, environment=environment)


def cluster(*, environment: Mapping[str, str] | None = None) -> Program:
    return Program(
        "worker",
        [sys.executable, str(MANAGE), "qcluster", "--skip-checks"],
        environment=environment,
        is_restarted=True,
        watch=trouble_of_cluster,
        after_end=after_cluster,
    )


def simulator(
    *, port: int, desk: str, accounts: Path | None, log: Path | None, environment: Mapping[str, str] | None = None
) -> Program:
    command = [sys.executable, "-m", "smsdesk.simulator", "--port", str(port), "--desk", desk]
    command += ["--accounts", str(accounts.resolve())] if accounts else ["--open"]
    command += ["--log", str(log.resolve())] if log else []
    return Program("carrier", command, environment=environment, is_restarted=True)


# --- The cluster's watchdog ----------------------------------------------------------------------------


def trouble_of_cluster(ran: float, group: int) -> str:
    """Why the cluster must be restarted, or ""; a worker frozen inside a batch is killed by itself.

    A database that is away is no reason: the workers wait for it too.
    """
    return _or_nothing(lambda: _trouble(ran, group)) or ""


def _trouble(ran: float, group: int) -> str:
    for pid in overdue_workers(group):
        os.kill(pid, signal.SIGKILL)
    pulse.abandon_dead_workers()  # perhaps nobody is left who would
    newest = Heartbeat.objects.aggregate(newest=Max("beat_at"))["newest"]
    silent = (clock.database_now() - newest).total_seconds() if newest else ran
    quiet = min(silent, ran)
    return f"no sign of progress for {quiet:.0f} s." if quiet > TIMES.heartbeat else ""


def overdue_workers(group: int) -> list[int]:
    """Processes of this cluster that hold a batch for longer than any batch can take."""
    limit = clock.database_now() - timedelta(seconds=TIMES.overdue)
    holders = (
        OutboundMessage.objects.filter(
            motion__state=OutboundState.SUBMITTING, motion__submitted_at__lt=limit, token=F("lane__token")
        )
        .values_list("lane__holder", flat=True)
        .distinct()
    )
    pids = [int(holder.split(":")[-2]) for holder in holders if holder and processes.is_gone(holder) is False]
    return [pid for pid in pids if _group_of(pid) == group]


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return -1


def after_cluster() -> None:
    """The cluster is gone: its lanes are free at once, and a new one is woken to what is due."""
    _or_nothing(pulse.abandon_dead_workers)


def wake() -> None:
    """One tick as soon as a worker is there, rather than within its first minute."""
    wakeups.wake("campaigns.tasks.tick")


def _or_nothing(ask: Callable[[], str | None]) -> str | None:
    try:
        return ask()
    except (DatabaseError, InterfaceError):
        return None
    finally:
        if not connection.in_atomic_block:
            close_old_connections()  # one that broke must not be met again at the next look
