"""`python -m tests.browser.screenshots [--to docs/screenshots] [--extra DIR]`: the main pages of a fresh demo.

With `--extra` also every page in dark and at 390 px, to look at and not to keep.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser import demo_desk
from tests.world import ROOT, wait_until

Visit = Callable[[Page, demo_desk.Demo], None]


def dashboard(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/")


def contacts(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/contacts/contact/")


def contact(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/contacts/contact/?q=Daniel")
    page.get_by_role("link", name="Daniel Weiss").first.click()
    page.get_by_text("Consent history").wait_for()


def wizard(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/campaigns/campaign/?q=coffee")
    page.get_by_role("link", name="Free coffee for points").click()
    page.locator(".stepper a", has_text="Message").click()
    page.locator(".phone .bubble").wait_for()
    page.locator(".waterfall").wait_for()


def report(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/campaigns/campaign/?q=jackets")
    page.get_by_role("link", name="Autumn jackets").click()
    page.get_by_text("Recipients").first.wait_for()


def inbox(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/inbox/")
    page.locator(".inbox-list li a").first.click()
    page.locator(".inbox-thread .bubble").first.wait_for()


def status(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/status/")
    page.get_by_text("In numbers").wait_for()


def holds(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/inbox/holds/")
    page.locator(".hold").first.wait_for()


def imports(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/contacts/contactimport/add/")
    page.set_input_files("input[type=file]", files=[{"name": "fair.csv", "mimeType": "text/csv", "buffer": CSV}])
    page.get_by_role("button", name="Upload").click()
    page.get_by_text("Columns").first.wait_for()


def handsets(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.handsets}#+12135550112,+14155550110")
    page.wait_for_timeout(1500)


def login(page: Page, demo: demo_desk.Demo) -> None:
    page.context.clear_cookies()
    page.goto(f"{demo.url}/admin/login/")


def inbox_list(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/inbox/")


def audience(page: Page, demo: demo_desk.Demo) -> None:
    wizard(page, demo)
    page.locator(".stepper a", has_text="Audience").click()
    page.locator(".waterfall").wait_for()


def schedule(page: Page, demo: demo_desk.Demo) -> None:
    wizard(page, demo)
    page.locator(".stepper a", has_text="Schedule").click()
    page.locator(".waterfall").wait_for()


def review(page: Page, demo: demo_desk.Demo) -> None:
    wizard(page, demo)
    page.locator(".stepper a", has_text="Review").click()
    page.locator(".waterfall").wait_for()


def campaigns(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/campaigns/campaign/")


def messages(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/campaigns/outboundmessage/")


def message(page: Page, demo: demo_desk.Demo) -> None:
    messages(page, demo)
    page.locator("#result_list tbody th a").first.click()
    page.locator(".timeline").wait_for()


def keyword(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/inbound/keyword/1/change/")


def decision(page: Page, demo: demo_desk.Demo) -> None:
    asked = "phone=%2B14155550110&sender=1&purpose=marketing&at=2026-11-26T09:00"
    page.goto(f"{demo.url}/admin/decision/?{asked}")
    page.get_by_text("What was asked").wait_for()


def quiet_hours(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/contacts/quiethoursrule/")


def frequency_cap(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/contacts/frequencycap/add/")


def closed_day(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/contacts/closedday/add/")


def opt_in_forms(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/inbound/optinform/")


def opt_in_form(page: Page, demo: demo_desk.Demo) -> None:
    opt_in_forms(page, demo)
    page.locator("#result_list tbody th a").first.click()
    page.locator("details summary").first.click()
    page.evaluate("scrollTo(0, 0)")  # what lies under the header cannot be judged


def sign_ups(page: Page, demo: demo_desk.Demo) -> None:
    page.goto(f"{demo.url}/admin/inbound/signup/")


MAIN: tuple[Visit, ...] = (dashboard, contacts, contact, imports, wizard, report, inbox, handsets)
MORE: tuple[Visit, ...] = (
    audience,
    schedule,
    review,
    campaigns,
    messages,
    message,
    keyword,
    inbox_list,
    status,
    holds,
    decision,
    quiet_hours,
    frequency_cap,
    closed_day,
    login,
    opt_in_forms,
    opt_in_form,
    sign_ups,
)
CSV = (
    b"phone,first name,city\n+1 213 555 0160,Nora,Los Angeles\n(312) 555-0161,Otto,Chicago\n"
    b"12,Pia,Boston\n+1 617 555 0163,Rita,Boston\n"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=ROOT / "docs/screenshots")
    parser.add_argument("--extra", type=Path)
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        demo_desk.Demo(Path(folder)) as demo,
        demo_desk.chromium() as browser,
    ):
        say_something(demo)
        if not options.extra:
            take(browser, demo, MAIN, to=options.to)
            return
        options.extra.mkdir(parents=True, exist_ok=True)
        take(browser, demo, MAIN + MORE, to=options.extra)
        take(browser, demo, MAIN + MORE, to=options.extra, theme="dark")
        take(browser, demo, MAIN + MORE, to=options.extra, width=390, height=844)


def say_something(demo: demo_desk.Demo) -> None:
    """Two people text us through the carrier, so that handsets and inbox show something that really happened."""
    demo.text("+12135550112", "JOIN")
    demo.text("+14155550110", "Where is my parcel?")
    demo.text("+14155550110", "Stop by the store today or is it closed?")
    log = demo.folder / "data/carrier.jsonl"
    wait_until(lambda: "You're in" in log.read_text(), seconds=20, what="the reply")


def take(
    browser: Browser, demo: demo_desk.Demo, visits: tuple[Visit, ...], *, to: Path, theme: str = "light",
    width: int = 1360, height: int = 880,
) -> None:  # fmt: skip
    context = demo_desk.context_of(browser, theme=theme, width=width, height=height)
    page = context.new_page()
    demo.sign_in(page)
    for visit in visits:
        visit(page, demo)
        page.wait_for_timeout(400)
        suffix = "" if (theme, width) == ("light", 1360) else f"-{theme if width > 400 else 'phone'}"
        page.screenshot(path=to / f"{visit.__name__}{suffix}.png", full_page=width < 400, animations="disabled")
    context.close()


if __name__ == "__main__":
    main()
