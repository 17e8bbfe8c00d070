"""WCAG by axe: nothing serious on any main page in the light; and nothing too small for a finger."""

import pytest

from tests.browser import axe, trouble

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("half", axe.HALVES)
def test_axe_finds_nothing_serious(demo, browser, half):
    with trouble.of(demo):
        assert axe.serious(browser, demo, theme="light", half=half) == {}


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
