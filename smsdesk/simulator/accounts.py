"""The carrier's customers: who may send, from which senders, and where texts from handsets are posted to."""

import hmac
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from smsdesk.simulator.numbering import digits

DIALECTS = ("infobip", "twilio")


class BadAccounts(ValueError):
    """The accounts cannot be used; the text names the entry, the field and the cure."""


@dataclass(frozen=True, slots=True)
class Account:
    """`key` is Infobip's API key or Twilio's account sid; `secret` is Twilio's auth token. No senders: any.

    With `hook_user` Infobip's webhooks carry it and `hook_password` as HTTP Basic.
    """

    dialect: str
    name: str
    key: str
    secret: str = ""
    hook_user: str = ""
    hook_password: str = ""
    senders: tuple[str, ...] = ()
    inbound_url: str = ""
    answers_stop: bool = False


@dataclass(frozen=True, slots=True)
class DemoPhone:
    number: str
    name: str


@dataclass(slots=True)
class AccountBook:
    """Accounts of a file (re-read when it changes) or of a test; an open book takes any credentials."""

    path: Path | None = None
    is_open: bool = False
    desk: str = ""
    open_inbound_url: str = ""
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    phones: tuple[DemoPhone, ...] = ()
    _stamp: tuple[int, int, int] | None = None

    def refresh(self) -> bool:
        """Read the file again if it changed; True if it did. Raises BadAccounts and keeps the old accounts."""
        if self.path is None:
            return False
        try:
            status = self.path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            self.replace(json.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return False  # the desk writes it later
        except (OSError, ValueError) as error:
            raise BadAccounts(f"accounts file {self.path}: {error}") from error
        return True

    def replace(self, listed: Any) -> None:
        """Take `listed` instead of what is known: a list of accounts, or {"accounts": [...], "phones": [...]}."""
        phones: Any = []
        if isinstance(listed, dict):
            listed, phones = listed.get("accounts", []), listed.get("phones", [])
        if not isinstance(listed, list) or not isinstance(phones, list):
            raise BadAccounts("accounts must be a JSON list of accounts.")
        parsed = [self._parse(entry, number) for number, entry in enumerate(listed, start=1)]
        if len({account.name for account in parsed}) < len(parsed):
            raise BadAccounts("every account needs a name of its own.")
        self.phones = tuple(_phone(phone, number) for number, phone in enumerate(phones, start=1))
        self.accounts = {(account.dialect, account.key): account for account in parsed}

    def find(self, dialect: str, *, key: str, secret: str) -> Account | None:
        """The account these credentials open, or None."""
        account = self.accounts.get((dialect, key))
        if account is None:
            return self._opened(dialect, key=key, secret=secret) if self.is_open and key else None
        given, wanted = secret.encode("utf-8", "replace"), account.secret.encode("utf-8", "replace")
        return account if hmac.compare_digest(given, wanted) else None

    def named(self, name: str) -> Account | None:
        return next((account for account in self.accounts.values() if account.name == name), None)

    def with_sender(self, sender: str) -> Account | None:
        return next((account for account in self.accounts.values() if sender in account.senders), None)

    def _opened(self, dialect: str, *, key: str, secret: str) -> Account:
        name = f"{dialect} {len(self.accounts) + 1}"
        account = Account(dialect=dialect, name=name, key=key, secret=secret, inbound_url=self.open_inbound_url)
        self.accounts[dialect, key] = account
        return account

    def _parse(self, entry: Any, number: int) -> Account:
        where = f"account {number}"
        if not isinstance(entry, dict) or entry.get("dialect") not in DIALECTS:
            raise BadAccounts(f"{where}: dialect must be one of {', '.join(DIALECTS)}.")
        dialect, credentials = entry["dialect"], entry.get("credentials")
        names = ("api_key",) if dialect == "infobip" else ("account_sid", "auth_token")
        if not isinstance(credentials, dict) or not all(credentials.get(name) for name in names):
            raise BadAccounts(f"{where}: credentials must hold {' and '.join(names)}.")
        senders = entry.get("senders", [])
        if not isinstance(senders, list) or not all(isinstance(sender, str) for sender in senders):
            raise BadAccounts(f"{where}: senders must be a list of texts, such as +12025550199 or Lumen.")
        return Account(
            dialect=dialect,
            name=str(entry.get("name") or f"{dialect} {number}"),
            key=str(credentials[names[0]]),
            secret=str(credentials["auth_token"]) if dialect == "twilio" else "",
            hook_user=str(credentials.get("hook_user") or ""),
            hook_password=str(credentials.get("hook_password") or ""),
            senders=tuple(senders),
            inbound_url=self._absolute(str(entry.get("inbound_url") or ""), where),
            answers_stop=bool(entry.get("answers_stop", dialect == "twilio")),
        )

    def _absolute(self, url: str, where: str) -> str:
        if url and self.desk:
            url = urljoin(f"{self.desk}/", url)
        if url and urlsplit(url).scheme not in ("http", "https"):
            raise BadAccounts(f"{where}: inbound_url {url!r} must begin with http:// or https://, or give --desk.")
        return url


def _phone(entry: Any, number: int) -> DemoPhone:
    if not isinstance(entry, dict) or not digits(str(entry.get("number"))):
        raise BadAccounts(f"phone {number}: number must be international, such as +12025550123.")
    return DemoPhone(f"+{digits(str(entry['number']))}", str(entry.get("name") or ""))
