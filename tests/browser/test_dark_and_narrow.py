"""The same pages in the dark, by axe, and on a phone: a file of its own, for both take a minute and more."""

import pytest

from tests.browser import axe, trouble

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("half", axe.HALVES)
def test_axe_finds_nothing_serious_in_the_dark(demo, browser, half):
    with trouble.of(demo):
        assert axe.serious(browser, demo, theme="dark", half=half) == {}


def test_no_page_is_wider_than_a_phone(demo, open_page):
    page = open_page(width=390, height=844)
    demo.sign_in(page)
    wide = {}
    with trouble.of(demo):
        for visit in axe.PAGES:
            visit(page, demo)
            page.wait_for_load_state()
            width = page.evaluate("document.documentElement.scrollWidth")
            if width > 390:
                wide[visit.__name__] = width
    assert wide == {}
