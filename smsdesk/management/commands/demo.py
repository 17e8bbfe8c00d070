"""`manage.py demo`: a seeded small company, its worker and a carrier in a box, from nothing in one go."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone

from smsdesk.management import demo_world, desk_processes
from smsdesk.management.commands.runall import say
from smsdesk.management.demo_home import Home
from smsdesk.supervisor import Program, Supervisor

_AGAIN = "SMSDESK_DEMO_FOLDER"  # set when this process has been started anew with the demo's environment


class Command(BaseCommand):
    help = "Seed a small company and run desk, worker and carrier simulator; Ctrl+C ends all of them."
    # The demo brings its own settings; those it is started with are not used.
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="port of the desk (default 8000)")
        parser.add_argument("--simulator-port", type=int, help="port of the handsets (default: the one after)")
        parser.add_argument("--data", type=Path, help="folder of the demo's database (default var/)")
        parser.add_argument("--reset", action="store_true", help="throw the demo's world away and begin again")

    def handle(self, *args: Any, **options: Any) -> None:
        port = options["port"]
        simulator_port = options["simulator_port"] or port + 1
        folder = Path(options["data"] or os.environ.get("SMSDESK_DATA") or "var").absolute()
        if os.environ.get(_AGAIN) != str(folder):
            _refuse_foreign_database()
        home = Home(folder)
        home.enter()
        desk_processes.refuse_taken(port, host="127.0.0.1", option="--port")
        desk_processes.refuse_taken(simulator_port, host="127.0.0.1", option="--simulator-port")
        if os.environ.get(_AGAIN) != str(folder):
            if options["reset"]:
                home.reset()
            _start_anew(home, port=port, simulator_port=simulator_port)
        self._run(home, port=port, simulator_port=simulator_port)

    def _run(self, home: Home, *, port: int, simulator_port: int) -> None:
        os.umask(0o077)  # what the demo writes holds secrets
        begun = time.monotonic()
        self._prepare(home, simulator=f"http://127.0.0.1:{simulator_port}")
        self._tell(home, port=port, simulator_port=simulator_port, seconds=time.monotonic() - begun)
        desk_processes.wake()
        connection.close()
        programs = _programs(home, port=port, simulator_port=simulator_port)
        status = Supervisor(programs, say=say).run()
        say("Everything has ended. Start again where you were: python manage.py demo")
        sys.exit(status)

    def _prepare(self, home: Home, *, simulator: str) -> None:
        if not home.database.exists():
            home.mark()
            self.stdout.write("Making the database and a small company …")
            self.stdout.flush()
        call_command("migrate", verbosity=0)
        kept = home.secrets()
        now = timezone.now()
        if not demo_world.is_seeded():
            kept["api_key"] = demo_world.seed(password=kept["password"], credentials=kept["carrier"], now=now)
            home.keep(kept)
        demo_world.settle_in(accounts_file=home.accounts, simulator=simulator, credentials=kept["carrier"], now=now)

    def _tell(self, home: Home, *, port: int, simulator_port: int, seconds: float) -> None:
        kept = home.secrets()
        desk = f"http://127.0.0.1:{port}"
        admin = User.objects.filter(username="admin").first()
        password = kept["password"] if admin and admin.check_password(kept["password"]) else "the password you set"
        curl = (
            f"curl -X POST {desk}/api/v1/messages/ -H 'Authorization: Bearer {kept['api_key']}' "
            "-H 'Content-Type: application/json' "
            '-d \'{"to": "+14155550110", "purpose": "transactional", "text": "Acme: your order is on its way."}\''
        )
        lines = [
            f"{demo_world.in_words()} ({seconds:.0f} s)",
            "",
            f"desk       {desk}/admin/         admin / {password}",
            "                                          also ivana (agent), marko (marketer), sara (team lead)",
            f"handsets   http://127.0.0.1:{simulator_port}/phones      text JOIN and watch the reply",
            f"API        {desk}/api/docs/      {kept['api_key']}",
            f"           {curl}",
            "",
            "Ctrl+C stops everything. `python manage.py demo --reset` begins again.",
            "",
        ]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()


def _refuse_foreign_database() -> None:
    if os.environ.get("DATABASE_URL"):
        raise CommandError(
            "DATABASE_URL names a database that is not the demo's own, and the demo touches no other. "
            "Start it without: env -u DATABASE_URL python manage.py demo"
        )


def _start_anew(home: Home, *, port: int, simulator_port: int) -> None:
    """The same process once more, its settings now read from the demo's environment."""
    kept = home.secrets()
    environment = {
        **os.environ,
        **{name: str(kept[name]) for name in ("SECRET_KEY", "SMSDESK_PEPPER", "SMSDESK_CREDENTIAL_KEY")},
        _AGAIN: str(home.folder),
        "DJANGO_SETTINGS_MODULE": "smsdesk.settings",
        "SMSDESK_DEMO": "true",
        "SMSDESK_DATA": str(home.folder),
        "DATABASE_URL": f"sqlite:///{home.database}",
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "SIMULATOR_URL": f"http://127.0.0.1:{simulator_port}",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
    }
    for name in ("SECRET_KEY_FILE", "SMSDESK_PEPPER_FILE", "SMSDESK_CREDENTIAL_KEY_FILE"):
        environment.pop(name, None)
    sys.stdout.flush()
    command = [sys.executable, str(desk_processes.MANAGE), "demo", "--port", str(port)]
    command += ["--simulator-port", str(simulator_port), "--data", str(home.folder)]
    os.execve(sys.executable, command, environment)


def _programs(home: Home, *, port: int, simulator_port: int) -> list[Program]:
    carrier = desk_processes.simulator(
        port=simulator_port, desk=f"http://127.0.0.1:{port}", accounts=home.accounts, log=home.carrier_log
    )
    return [carrier, desk_processes.web(host="127.0.0.1", port=port), desk_processes.cluster()]
