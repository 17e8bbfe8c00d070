"""The demo's folder: its database, its generated secrets, and the marks that say both are a demo's."""

import base64
import fcntl
import json
import os
import secrets
import sqlite3
from pathlib import Path
from typing import IO, Any

from django.core.management.base import CommandError

# Written into the database file's own header: "smsd". Only a database with it is opened, or removed.
MARK = 0x736D7364
WORDS = (
    "amber", "birch", "cedar", "clover", "coral", "delta", "ember", "fern", "harbor", "hazel", "iris", "juniper",
    "lake", "linen", "maple", "meadow", "mint", "olive", "opal", "orchid", "pine", "pearl", "river", "sage",
    "silver", "slate", "spruce", "stone", "vale", "willow", "winter", "wren",
)  # fmt: skip


class Home:
    """A folder that holds one demo, and nothing of anybody else's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "demo.sqlite3"
        self.secrets_file = folder / "secrets.json"
        self.accounts = folder / "accounts.json"
        self.carrier_log = folder / "carrier.jsonl"
        self._lock: IO[str] | None = None

    def enter(self) -> None:
        """Make the folder, refuse what is not ours, and keep a second demo out. Raises `CommandError`."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.folder / "demo.lock").open("w")
        except OSError as problem:
            raise CommandError(
                f"The folder {self.folder} cannot be written ({problem.strerror}). Choose another with --data DIR."
            ) from problem
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            self.leave()
            raise CommandError(
                f"A demo is running in {self.folder} already. End it with Ctrl+C, or use another --data DIR."
            ) from problem
        try:
            self._refuse_strangers()
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Another demo may have the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def reset(self) -> None:
        for file in (self.database, self.secrets_file, self.accounts, self.carrier_log):
            for path in self.folder.glob(f"{file.name}*"):
                path.unlink()

    def secrets(self) -> dict[str, Any]:
        """Made at the first start, kept readable for this user only."""
        if not self.secrets_file.exists():
            if self.database.exists():
                raise CommandError(
                    f"{self.secrets_file} is gone, and the demo's database cannot be read without it. "
                    "Start again: python manage.py demo --reset"
                )
            self.keep(_fresh())
        try:
            found = json.loads(self.secrets_file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            raise CommandError(
                f"{self.secrets_file} cannot be read ({problem}). Start again: python manage.py demo --reset"
            ) from problem
        return dict(found)

    def keep(self, values: dict[str, Any]) -> None:
        fresh = self.secrets_file.with_suffix(".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(values, file, indent=1)
        fresh.replace(self.secrets_file)

    def mark(self) -> None:
        """Make the database file, marked before anything else stands in it."""
        with sqlite3.connect(self.database) as connection:
            connection.execute(f"PRAGMA application_id = {MARK}")
        connection.close()

    def _refuse_strangers(self) -> None:
        if not self.database.exists():
            return
        with self.database.open("rb") as file:
            header = file.read(72)
        if not header or int.from_bytes(header[68:72], "big") == MARK:
            return
        raise CommandError(
            f"{self.database} is no database of this demo and is left alone. Choose another with --data DIR."
        )


def _fresh() -> dict[str, Any]:
    word = secrets.choice
    return {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "SMSDESK_PEPPER": secrets.token_urlsafe(48),
        "SMSDESK_CREDENTIAL_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "password": f"{secrets.token_hex(2)}-{word(WORDS)}-{word(WORDS)}",
        "api_key": "",
        "carrier": {
            "infobip": {"api_key": secrets.token_urlsafe(24)},
            "twilio": {"account_sid": f"AC{secrets.token_hex(16)}", "auth_token": secrets.token_urlsafe(24)},
        },
    }
