"""The page of a contact in a real browser, in both themes: tags, notes, timeline, number, merging, suppressing."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser import demo_desk

pytestmark = pytest.mark.browser
# Two people without an open conversation for each theme: the demo is shared.
PEOPLE = {"light": ("Hugo Silva", "Grace Kim"), "dark": ("Jonas Lind", "Kateryna Bondar")}


def open_person(page, demo, name: str) -> None:
    page.goto(f"{demo.url}/admin/contacts/contact/?q={name.split()[0]}")
    page.get_by_role("link", name=name).first.click()
    page.get_by_role("heading", name="Timeline").wait_for()


def serious(page) -> list[str]:
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
    return [
        f"{one['id']}: {node['target']}"
        for one in found.response["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_employee_tags_notes_looks_back_and_shows_the_number(demo, open_page, theme):
    page = open_page(theme=theme)
    page.on("dialog", lambda dialog: dialog.accept())
    demo.sign_in(page)
    open_person(page, demo, PEOPLE[theme][0])

    page.get_by_label("Tag to put on").fill(f"vip {theme}, fair")
    page.get_by_role("button", name="Tag", exact=True).click()
    page.get_by_role("button", name=f"Take off vip {theme}").wait_for()
    page.get_by_role("button", name="Take off fair").click()
    page.get_by_role("button", name="Take off fair").wait_for(state="detached")

    page.get_by_label("Write a note").fill("Prefers mornings.\nCalls back on Friday.")
    page.get_by_role("button", name="Keep the note").click()
    note = page.locator("#notes .bubble-note")
    note.wait_for()
    assert note.locator("p").inner_text() == "Prefers mornings.\nCalls back on Friday."

    number = page.locator("#phone")
    assert "***" in number.inner_text()
    page.get_by_role("button", name="Show number").click()
    page.get_by_role("button", name="Show number").wait_for(state="detached")
    assert "***" not in number.inner_text()

    page.reload()
    entries = page.locator("#timeline ol.timeline > li")
    everything = entries.count()
    page.get_by_role("checkbox", name="What employees did").check()
    entries.nth(everything - 1).wait_for(state="detached")
    shown = page.locator("#timeline").inner_text()
    assert "Looked at the full number." in shown
    assert "Delivered" not in shown

    page.get_by_role("button", name="Delete the note").click()
    note.wait_for(state="detached")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_two_contacts_of_one_person_are_compared_and_merged(demo, open_page, theme):
    page = open_page(theme=theme)
    demo.sign_in(page)
    kept, other = PEOPLE[theme]
    open_person(page, demo, other)
    external_id = page.locator("dl.facts dt:has-text('External id') + dd").inner_text()
    open_person(page, demo, kept)
    page.get_by_role("link", name="Merge …").click()
    page.get_by_label("Which contact is the same person?").fill("nobody")
    page.get_by_role("button", name="Compare").click()
    page.get_by_text("There is no such contact.").wait_for()
    page.get_by_label("Which contact is the same person?").fill(external_id)
    page.get_by_role("button", name="Compare").click()
    page.get_by_text("the strictest wins").wait_for()
    name = page.locator(".desk tbody tr").nth(1).inner_text().split("\t")
    assert name == ["Name", kept, other, kept]

    page.get_by_role("button", name="Merge for good").click()

    page.get_by_text("An opt-out of either phone counts for both.").wait_for()
    assert page.locator("dt", has_text="Other phones").count() == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_pages_of_contacts(demo, browser, theme):
    context = demo_desk.context_of(browser, theme=theme)  # not watched: axe itself complains of the policy
    page = context.new_page()
    demo.sign_in(page)
    open_person(page, demo, "Daniel Weiss")
    page.get_by_label("Write a note").fill("A note")
    page.get_by_role("button", name="Keep the note").click()
    page.locator("#notes .bubble-note").first.wait_for()
    page.get_by_label("Tag to put on").fill("axe")
    page.get_by_role("button", name="Tag", exact=True).click()
    page.get_by_role("button", name="Take off axe").wait_for()
    found = {"contact": serious(page)}
    page.get_by_role("link", name="Merge …").click()
    page.get_by_text("May be the same person").wait_for()
    found["choose"] = serious(page)
    page.get_by_label("Which contact is the same person?").fill("N-1001")
    page.get_by_role("button", name="Compare").click()
    page.get_by_text("the strictest wins").wait_for()
    found["merge"] = serious(page)
    for name, path in (
        ("duplicates", "contact/duplicates/"),
        ("suppress", "suppression/add/"),
        ("suppressions", "suppression/"),
        ("tags", "tag/"),
    ):
        page.goto(f"{demo.url}/admin/contacts/{path}")
        found[name] = serious(page)
    context.close()
    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.parametrize("width", [1280, 800, 390])
def test_what_is_jumped_to_is_not_covered_by_the_header(demo, open_page, width):
    page = open_page()
    demo.sign_in(page)
    open_person(page, demo, "Hugo Silva")
    page.set_viewport_size({"width": width, "height": 400})
    page.goto(page.url.partition("#")[0] + "#timeline")
    page.wait_for_function("document.scrollingElement.scrollTop > 0")
    is_in_place = page.evaluate("document.getElementById('header').getBoundingClientRect().top === 0")
    assert is_in_place == (width > 768)
    assert page.evaluate(
        "document.getElementById('timeline').getBoundingClientRect().top"
        " >= document.getElementById('header').getBoundingClientRect().bottom"
    )
