"""The command line of the simulator."""

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smsdesk.simulator import faults, journal
from smsdesk.simulator.accounts import AccountBook
from smsdesk.simulator.faults import Faults


@dataclass(frozen=True, slots=True)
class Options:
    host: str = "127.0.0.1"
    port: int = 8001
    desk: str = ""
    accounts: Path | None = None
    is_open: bool = False
    inbound_url: str = ""
    log: Path | None = None
    log_level: str = "all"
    keep: int = 1_000_000
    faults: Faults = field(default_factory=Faults)

    def book(self) -> AccountBook:
        """The accounts as they are now. Raises BadAccounts."""
        book = AccountBook(
            path=self.accounts, is_open=self.is_open, desk=self.desk, open_inbound_url=self.inbound_url
        )
        book.refresh()
        return book


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine only)")
    add("--port", type=int, default=8001, help="port to listen on; 0 takes a free one (default 8001)")
    add("--desk", default="", help="the desk's address: link on the page, base of relative inbound URLs")
    add("--accounts", type=Path, help="JSON file of accounts, read again when it changes (docs/simulator.md)")
    add("--open", action="store_true", help="accept any credentials")
    add("--inbound-url", default="", help="with --open: where texts from handsets are posted to")
    add("--log", type=Path, help="append-only log of JSON lines")
    add(
        "--log-level",
        choices=journal.LEVELS,
        default="all",
        help="accepted: only what was accepted, for benchmarks",
    )
    add("--keep", type=int, default=1_000_000, help="messages held in memory for lookups (default 1,000,000)")
    add("--seed", default="1", help="decides who is hit by the rates")
    add("--latency", type=float, default=0.0, metavar="MS", help="delay of every answer to a send call")
    add("--receipt-delay", type=float, default=500.0, metavar="MS", help="from accepting to the last receipt")
    add("--lookup-lag", type=float, default=0.0, metavar="MS", help="until a lookup shows an accepted message")
    add("--no-receipts", action="store_true", help="send no receipts at all")
    add("--no-magic-numbers", action="store_true", help="no number misbehaves: for bulk runs over number ranges")
    for name in faults.RATES:
        add(f"--{name.replace('_', '-')}", type=float, default=0.0, metavar="RATE", help="from 0 to 1")


def from_arguments(values: dict[str, Any]) -> Options:
    """Options from parsed arguments. Raises BadFault for a rate out of range."""
    settings: dict[str, Any] = {name: values[name] for name in faults.RATES}
    settings |= {
        "seed": values["seed"],
        "latency_ms": values["latency"],
        "receipt_delay_ms": values["receipt_delay"],
        "lookup_lag_ms": values["lookup_lag"],
        "receipts": not values["no_receipts"],
        "magic_numbers": not values["no_magic_numbers"],
    }
    return Options(
        host=values["host"],
        port=values["port"],
        desk=values["desk"].rstrip("/"),
        accounts=values["accounts"],
        is_open=values["open"],
        inbound_url=values["inbound_url"],
        log=values["log"],
        log_level=values["log_level"],
        keep=max(1000, values["keep"]),
        faults=faults.changed(Faults(), settings),
    )
