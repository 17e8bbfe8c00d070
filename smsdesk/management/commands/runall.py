"""`manage.py runall`: the whole desk in one terminal, kept running from outside."""

import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from smsdesk import supervisor
from smsdesk.management import desk_processes

# A worker whose gateway is slow may need 21 s for its batch; who starts a worker alone also waits for its end.
ALONE_WITHIN = 25.0


class Command(BaseCommand):
    help = "Run web and worker together, and the carrier simulator where asked; Ctrl+C ends all of them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address the web process listens on")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--without-web",
            action="store_true",
            help="only the worker, watched; asked to stop, it has half a minute",
        )
        parser.add_argument("--simulator", action="store_true", help="run a carrier simulator too")
        parser.add_argument("--simulator-port", type=int, default=8001)
        parser.add_argument(
            "--simulator-accounts", type=Path, help="its accounts; without it takes any credentials"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_unmigrated()
        programs = [desk_processes.cluster()]
        if not options["without_web"]:
            desk_processes.refuse_taken(options["port"], host=options["host"], option="--port")
            programs.insert(0, desk_processes.web(host=options["host"], port=options["port"]))
        if options["simulator"]:
            port = options["simulator_port"]
            desk_processes.refuse_taken(port, host="127.0.0.1", option="--simulator-port")
            accounts = options["simulator_accounts"]
            programs.append(
                desk_processes.simulator(port=port, desk=settings.PUBLIC_URL, accounts=accounts, log=None)
            )
        desk_processes.wake()
        connection.close()
        what = "worker of" if options["without_web"] else "desk"
        self.stdout.write(f"{what} {settings.PUBLIC_URL}/admin/   Ctrl+C stops everything.")
        self.stdout.flush()
        patience = ALONE_WITHIN if options["without_web"] else supervisor.STOP_WITHIN
        sys.exit(supervisor.Supervisor(programs, say=say, stop_within=patience).run())


def say(line: str) -> None:
    # One write per line: several processes may share this terminal.
    os.write(1, f"{line}\n".encode())


def refuse_unmigrated() -> None:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as problem:
        raise CommandError(f"The database cannot be used: {problem}. Check DATABASE_URL.") from problem
    if missing:
        raise CommandError("The database is not up to date. Run: python manage.py migrate")
