"""The pages of a desk in trouble: an account that refuses us, outcomes nobody knows, a restored database."""

import contextlib
import sqlite3
from datetime import UTC, datetime

from playwright.sync_api import Page

from tests.browser import demo_desk


def begin(demo: demo_desk.Demo) -> None:
    """Put the demo into it; again and again if need be."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    with (
        contextlib.closing(sqlite3.connect(demo.folder / "data/demo.sqlite3", timeout=20)) as database,
        database,
    ):
        database.execute(
            "UPDATE campaigns_gatewayaccount SET paused_at = ?, paused_reason = ? "
            "WHERE paused_at IS NULL AND id = (SELECT MIN(id) FROM campaigns_gatewayaccount)",
            [now, "The gateway refused our credentials (401)."],
        )
        database.execute(
            "UPDATE campaigns_outboundmessage SET state = 'parked', code = 'NO_PROOF', final_at = NULL, "
            "evidence = '{\"lookups\": 3}' WHERE id IN (SELECT id FROM campaigns_outboundmessage "
            "WHERE state IN ('delivered', 'sent', 'accepted') AND campaign_id IS NOT NULL ORDER BY id LIMIT 3) "
            "AND NOT EXISTS (SELECT 1 FROM campaigns_outboundmessage WHERE state = 'parked')"
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
