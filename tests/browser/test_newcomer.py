"""The newcomer's day, clicked in a real browser through the real demo, under the production policy."""

import csv
import json
import re
import time

import pytest
from playwright.sync_api import Page, expect

from smsdesk import sms_text
from tests.world import ROOT

pytestmark = pytest.mark.browser

SOON = 30_000  # milliseconds: the worker wakes, the carrier answers


def text_from_handset(page: Page, demo, number: str, text: str) -> None:
    page.goto(f"{demo.handsets}#{number}")
    page.get_by_role("textbox", name=re.compile("message", re.I)).first.fill(text)
    page.keyboard.press("Enter")


def test_a_campaign_goes_from_the_wizard_to_the_phones(demo, open_page):
    page = open_page()
    demo.sign_in(page)
    page.get_by_role("link", name="New campaign").click()
    page.get_by_label("Name").fill("Winter coats")
    page.get_by_role("button", name="Begin the draft").click()
    page.get_by_label("Newsletter").first.check()
    page.get_by_role("button", name="Next").click()
    page.locator("#id_body").fill("{{ brand }}: Hi {{ first_name }}, coats are here. Reply STOP to opt out")
    expect(page.locator(".phone .bubble")).to_contain_text("Acme: Hi", timeout=SOON)
    page.get_by_role("button", name="Next", exact=True).first.click()
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#waterfall")).to_contain_text("Will be sent", timeout=SOON)
    page.get_by_role("button", name="Launch now").click()
    expect(page.locator("#live .pill").first).to_have_text("Finished", timeout=2 * SOON)
    expect(page.get_by_role("region", name="Skipped, and why")).to_contain_text("opted out")

    phone = open_page()
    phone.goto(f"{demo.handsets}#+14155550111")
    expect(phone.get_by_text("Acme: Hi Maya, coats are here.")).to_be_visible(timeout=SOON)


def test_stop_from_a_phone_shows_on_the_contact_page(demo, open_page):
    phone = open_page()
    text_from_handset(phone, demo, "+16175550111", "STOP")
    expect(phone.get_by_text("You are unsubscribed")).to_be_visible(timeout=SOON)

    page = open_page()
    demo.sign_in(page)
    page.goto(f"{demo.url}/admin/contacts/contact/?q=%2B16175550111")
    page.locator("#result_list tbody th a").first.click()
    expect(page.locator(".banner-bad")).to_contain_text("Opted out of Acme")


def test_join_is_answered_and_recorded_with_its_proof(demo, open_page):
    phone = open_page()
    text_from_handset(phone, demo, "+17025550171", "JOIN")
    expect(phone.get_by_text("You're in!")).to_be_visible(timeout=SOON)

    page = open_page()
    demo.sign_in(page)
    page.goto(f"{demo.url}/admin/contacts/contact/?q=%2B17025550171")
    page.locator("#result_list tbody th a").first.click()
    expect(page.get_by_text("Text JOIN to +1 212 555 0199")).to_be_visible()
    expect(page.get_by_role("cell", name="Opted in")).to_contain_text("Express written")


def test_an_agent_answers_a_question_and_the_phone_rings(demo, open_page):
    phone = open_page()
    question = f"Do you gift-wrap? {time.time():.0f}"
    text_from_handset(phone, demo, "+12025550114", question)

    agent = open_page()
    demo.sign_in(agent, "ivana")
    agent.get_by_role("navigation", name="Desk").get_by_role("link", name="Inbox").click()
    agent.locator(".inbox-list li a", has_text=question).click(timeout=SOON)
    agent.get_by_label("Your answer").fill("Yes, at no cost. Ivana")
    expect(agent.locator(".counter").first).to_contain_text("1 part")
    agent.get_by_role("button", name="Send").click()
    expect(agent.locator(".bubble-out", has_text="at no cost")).to_contain_text("delivered", timeout=SOON)
    expect(phone.get_by_text("Yes, at no cost. Ivana")).to_be_visible(timeout=SOON)


def test_the_inbox_shows_a_new_text_without_a_reload(demo, open_page):
    agent = open_page()
    demo.sign_in(agent)
    agent.goto(f"{demo.url}/admin/inbox/")
    question = f"Anybody there? {time.time():.0f}"
    demo.text("+13125550114", question)
    expect(agent.locator(".inbox-list")).to_contain_text(question, timeout=SOON)


def test_the_first_page_keeps_itself_up_to_date(demo, open_page):
    page = open_page()
    demo.sign_in(page)
    taken = page.locator("#desk-needs li", has_text="Conversations nobody has taken").locator(".pill")
    before = int(taken.inner_text())
    demo.text("+12135550114", "Are you open tomorrow?")
    expect(taken).to_have_text(str(before + 1), timeout=SOON)
    expect(page.locator("#desk-sending")).to_have_count(1)


def test_the_pages_are_served_under_the_strict_policy(demo, open_page):
    page = open_page()
    answer = page.goto(f"{demo.url}/admin/login/")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy


def test_the_shortcuts_can_be_listed_and_turned_off(demo, open_page):
    page = open_page()
    demo.sign_in(page)
    page.goto(f"{demo.url}/admin/inbox/")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("next, previous in the list")
    dialog.get_by_role("button", name="Turn shortcuts off").click()
    dialog.get_by_role("button", name="Close").click()
    page.keyboard.press("j")
    assert not page.evaluate("document.activeElement.closest('[data-walk]')")


def test_the_script_counts_as_the_server_does(demo, open_page):
    """The same cases as the server's own segmenter."""
    page = open_page()
    page.goto(f"{demo.url}/admin/login/")
    with (ROOT / "tests/data/segment_cases.csv").open(newline="", encoding="utf-8") as file:
        texts = [json.loads(f'"{case["text"]}"') for case in csv.DictReader(file)]
    counted = page.evaluate(
        "async (texts) => texts.map((await import('/static/smsdesk/desk.js')).measure)",
        texts,
    )
    for text, theirs in zip(texts, counted, strict=True):
        ours = sms_text.measure(text)
        told = (theirs["isGsm"], theirs["parts"], theirs["left"])
        assert told == (ours.encoding == "gsm7", ours.parts, ours.left), text
