"""The pages of the people we text, in a real browser: signing up, and choosing behind a link."""

import re
import sqlite3
import uuid
from contextlib import closing

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Page, expect

from campaigns import preference_links
from tests.browser import demo_desk

pytestmark = pytest.mark.browser
SOON = 30_000
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def ask(demo, statement: str, *values: str):
    with closing(sqlite3.connect(demo.folder / "data/demo.sqlite3", timeout=5)) as database:
        return database.execute(statement, values).fetchone()


@pytest.fixture
def form_url(demo) -> str:
    (public_id,) = ask(demo, "SELECT public_id FROM inbound_optinform")
    return f"{demo.url}/join/frm_{uuid.UUID(public_id).hex}/"


@pytest.fixture
def own_page(demo, settings) -> str:
    """The address that a text to somebody who gets offers carried, as the demo would have signed it."""
    settings.SECRET_KEY, settings.PUBLIC_URL = demo.secrets["SECRET_KEY"], demo.url
    (public_id,) = ask(
        demo,
        "SELECT m.public_id FROM campaigns_outboundmessage m JOIN contacts_consentstate s "
        "ON s.subscriber_key = m.subscriber_key WHERE s.is_active AND s.purpose = 'marketing' LIMIT 1",
    )
    return preference_links.of_message(uuid.UUID(public_id), now=timezone.now())


def faults(page: Page) -> list[str]:
    found = Axe().run(page, options={"runOnly": WCAG}).response["violations"]
    return [f"{one['id']}: {node['target']}" for one in found for node in one["nodes"]]


def is_narrow(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_a_visitor_signs_up_and_answers_yes_on_the_handset(demo, open_page, form_url):
    page = open_page(width=390, height=844)
    page.goto(form_url)
    box = page.get_by_role("checkbox")
    expect(box).not_to_be_checked()
    page.get_by_label("Your mobile number").fill("(702) 555-0188")
    box.check()
    page.wait_for_timeout(2_500)  # nobody reads faster
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert [cookie["name"] for cookie in page.context.cookies()] == ["csrftoken"]

    phone = open_page()
    phone.goto(f"{demo.handsets}#+17025550188")
    expect(phone.get_by_text("Reply YES to get our recurring texts")).to_be_visible(timeout=SOON)
    demo.text("+17025550188", "Yes please")
    expect(phone.get_by_text("Acme: You're in!")).to_be_visible(timeout=SOON)

    desk = open_page()
    demo.sign_in(desk)
    desk.goto(f"{demo.url}/admin/inbound/signup/")
    expect(desk.locator("#result_list")).to_contain_text("Joined")
    desk.goto(f"{demo.url}/admin/inbound/optinform/")
    expect(desk.locator("#result_list")).to_contain_text("1 of 1")


def test_a_person_takes_out_a_tick_and_then_stops_everything(demo, open_page, own_page):
    page = open_page(width=390, height=844)
    page.goto(own_page)
    expect(page.get_by_text(re.compile(r"\+1\d{3}\*\*\*\d{4}"))).to_be_visible()
    page.get_by_role("checkbox", name=re.compile("Offers and news")).uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved.")
    expect(page.get_by_role("checkbox", name=re.compile("Offers and news"))).to_have_count(0)
    page.get_by_role("button", name="Stop all texts").click()
    expect(page.get_by_role("status")).to_contain_text("nothing more is sent to this number")
    page.get_by_role("checkbox", name=re.compile("By ticking this box")).check()
    page.wait_for_timeout(2_500)
    page.get_by_role("button", name="Get these texts").click()
    expect(page.get_by_role("status")).to_contain_text("Welcome back")
    expect(page.get_by_role("checkbox", name=re.compile("Offers and news"))).to_be_checked()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(demo, browser, form_url, own_page, theme):
    context = demo_desk.context_of(browser, theme=theme, width=390, height=844)  # not watched: axe complains
    page = context.new_page()
    found = {}
    for name, url in {
        "form": form_url,
        "thanks": f"{form_url}thanks/",
        "closed": f"{demo.url}/join/frm_x/",
        "own page": own_page,
        "no link": f"{demo.url}/p/x",
    }.items():
        page.goto(url)
        found[name] = faults(page) + ([] if is_narrow(page) else ["wider than the phone"])
    page.goto(form_url)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_text("Tick the box if you agree")).to_be_visible()
    found["faults"] = faults(page)
    context.close()
    assert {name: one for name, one in found.items() if one} == {}
