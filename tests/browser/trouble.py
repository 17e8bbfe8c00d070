"""The pages of a desk in trouble: an account that refuses us, outcomes nobody knows, a restored database."""

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime

from playwright.sync_api import Page

from tests.browser import demo_desk

_KEPT = {
    "campaigns_gatewayaccount": ("paused_at", "paused_reason"),
    "campaigns_outboundmessage": ("state", "code", "final_at", "evidence"),
    "campaigns_campaign": ("state", "budget", "finished_at", "paused_reason"),
    "campaigns_instance": ("held_at", "known_until", "restored_at", "held_reason"),
}


@contextlib.contextmanager
def of(demo: demo_desk.Demo) -> Iterator[None]:
    """The demo is in it meanwhile; afterwards it sends again, for whoever else has it."""
    with _database(demo) as database:
        before = {
            table: database.execute(f"SELECT {', '.join(names)}, id FROM {table}").fetchall()
            for table, names in _KEPT.items()
        }
        _begin(database)
    try:
        yield
    finally:
        with _database(demo) as database:
            for table, names in _KEPT.items():
                changes = ", ".join(f"{name} = ?" for name in names)
                database.executemany(f"UPDATE {table} SET {changes} WHERE id = ?", before[table])


@contextlib.contextmanager
def _database(demo: demo_desk.Demo) -> Iterator[sqlite3.Connection]:
    path = demo.folder / "data/demo.sqlite3"
    with contextlib.closing(sqlite3.connect(path, timeout=20)) as database, database:
        yield database


def _begin(database: sqlite3.Connection) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    database.execute(
        "UPDATE campaigns_gatewayaccount SET paused_at = ?, paused_reason = ? "
        "WHERE paused_at IS NULL AND id = (SELECT MIN(id) FROM campaigns_gatewayaccount)",
        [now, "The gateway refused our credentials (401)."],
    )
    database.execute(
        "UPDATE campaigns_outboundmessage SET state = 'parked', code = 'NO_PROOF', final_at = NULL, "
        "evidence = '{\"lookups\": 3}' WHERE id IN (SELECT id FROM campaigns_outboundmessage "
        "WHERE state IN ('delivered', 'sent', 'accepted') AND campaign_id IS NOT NULL ORDER BY id LIMIT 3)"
    )
    database.execute(
        "UPDATE campaigns_campaign SET state = 'paused', budget = 40, finished_at = NULL, "
        "paused_reason = 'Its budget of 40 parts is used up.' WHERE name = 'Autumn jackets'"
    )
    database.execute(
        "UPDATE campaigns_instance SET held_at = ?, known_until = ?, restored_at = ?, "
        "held_reason = 'This database was restored from a backup.'",
        [now, now, now],
    )


def banner(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/")
    page.get_by_text("refused our credentials").first.wait_for()


def findings(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/status/")
    page.get_by_text("In numbers").wait_for()


def parked(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/campaigns/outboundmessage/parked/")


def parked_message(page: Page, demo: demo_desk.Demo) -> None:
    parked(page, demo)
    page.locator("a[href*='/settle/']").first.click()


def held(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/campaigns/outboundmessage/held/")


def spent(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/campaigns/campaign/?q=jackets")
    page.get_by_role("link", name="Autumn jackets").click()
    page.get_by_text("Recipients").first.wait_for()


PAGES = (banner, findings, parked, parked_message, held, spent)
