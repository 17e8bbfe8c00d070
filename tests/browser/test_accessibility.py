"""WCAG by axe: nothing serious on any main page, in light and dark; and nothing wider than a phone."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser import demo_desk, screenshots, trouble

pytestmark = pytest.mark.browser

PAGES = [visit for visit in screenshots.MAIN + screenshots.MORE if visit is not screenshots.login]


@pytest.fixture
def troubled(demo):
    trouble.begin(demo)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.usefixtures("troubled")
def test_axe_finds_nothing_serious(demo, browser, theme):
    context = demo_desk.context_of(browser, theme=theme)  # not watched: axe itself complains of the policy
    page = context.new_page()
    demo.sign_in(page)
    found = {}
    for visit in [*PAGES, *trouble.PAGES, screenshots.login]:
        visit(page, demo)
        page.wait_for_timeout(300)
        violations = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
        serious = [
            f"{one['id']}: {node['target']}"
            for one in violations.response["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]
        if serious:
            found[visit.__name__] = serious
    context.close()
    assert found == {}


@pytest.mark.usefixtures("troubled")
def test_no_page_is_wider_than_a_phone(demo, open_page):
    page = open_page(width=390, height=844)
    demo.sign_in(page)
    wide = {}
    for visit in [*PAGES, *trouble.PAGES]:
        visit(page, demo)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 390:
            wide[visit.__name__] = width
    assert wide == {}


def test_nothing_is_smaller_than_a_finger_on_the_phone(demo, open_page):
    """Main buttons and the list of conversations: 24 px at least, by WCAG 2.2."""
    page = open_page(width=390, height=844)
    demo.sign_in(page)
    page.goto(f"{demo.url}/admin/inbox/")
    sizes = page.evaluate(
        "[...document.querySelectorAll('.button, .inbox-list li a, .desk-nav a')]"
        ".map(e => e.getBoundingClientRect()).filter(r => r.width).map(r => Math.min(r.width, r.height))"
    )
    assert sizes
    assert min(sizes) >= 24
