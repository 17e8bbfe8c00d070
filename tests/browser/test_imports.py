"""A workbook on its way into the contacts and out again, clicked in a real browser, in both themes."""

import os
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser import demo_desk
from tests.test_workbooks import workbook

pytestmark = pytest.mark.browser

SOON = 30_000  # milliseconds
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SHOTS = os.environ.get("SMSDESK_SCREENSHOTS", "")  # a folder: the steps are kept there to be looked at


def people(theme: str) -> bytes:
    """Others in each theme: the same phones would be known the second time."""
    line = {"light": "0140", "dark": "0150"}[theme]
    return workbook(
        ["Mobile", "First name", "Town"],
        [int(f"1202555{line}"), "Nora", "Boston"],
        [f"(202) 555-{int(line) + 1:04}", "Otto", "#REF!"],
        ["12", "Pia", "Boston"],
        [f"+1202555{line}", "Nora again", "Boston"],
        sheets=[("Notes", [["not people"]])],
    )


@pytest.mark.parametrize(("theme", "width"), [("light", 1360), ("dark", 390)])
def test_an_import_goes_from_a_workbook_to_its_undo(demo, browser, theme, width):
    context = demo_desk.context_of(browser, theme=theme, width=width)
    page = context.new_page()
    demo.sign_in(page)
    page.goto(f"{demo.url}/admin/contacts/contactimport/add/")
    look(page, f"1-upload-{theme}", width=width)
    page.set_input_files("input[type=file]", files=[{"name": "fair.xlsx", "mimeType": "", "buffer": people(theme)}])
    page.get_by_role("button", name="Upload and continue").click()

    expect(page.get_by_text("The sheet “People” is read.")).to_be_visible()
    page.get_by_label("… or on a new list").fill(f"Fair {theme}")
    page.get_by_label("Default country").fill("US")
    look(page, f"2-columns-{theme}", width=width)
    page.get_by_role("button", name="Continue to the dry run").click()

    forecast = page.get_by_role("region", name="Dry run")
    expect(forecast).to_contain_text("4 rows, tried")
    expect(forecast).to_contain_text("2 of 4")
    forecast.get_by_text("3 remarks").click()
    look(page, f"3-dry-run-{theme}", width=width)
    page.get_by_role("button", name="Start the import").click()

    expect(page.locator("#import-progress .pill").first).to_have_text("Finished", timeout=SOON)
    expect(page.locator("#import-progress")).to_contain_text("A spreadsheet's formula failed here")
    page.reload()
    look(page, f"4-report-{theme}", width=width)
    page.get_by_text("Undo this import …").click()
    page.get_by_role("button", name="Take back what it made").click()

    expect(page.get_by_role("heading", name="Undone")).to_be_visible(timeout=SOON)
    expect(page.locator("#import-progress")).to_contain_text("Nothing was left.")
    look(page, f"5-undone-{theme}", width=width)
    context.close()


def look(page: Page, name: str, *, width: int) -> None:
    """Nothing serious for axe, nothing wider than the window, and a picture where one is wanted."""
    found = Axe().run(page, options={"runOnly": WCAG}).response["violations"]
    serious = [
        f"{one['id']}: {node['target']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
    assert serious == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True, animations="disabled")
