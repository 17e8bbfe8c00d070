"""Trying a decision, from a person's page to what would change it."""

import pytest

from tests.browser import screenshots

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_operator_learns_why_a_person_may_not_be_sent_to(demo, open_page, theme):
    page = open_page(theme=theme)
    demo.sign_in(page)
    screenshots.contact(page, demo)
    page.get_by_role("link", name="Try a decision step by step").click()
    page.get_by_label("Purpose").select_option("marketing")
    page.get_by_label("Text").fill("Big sale today at bit.ly/x")
    page.get_by_role("button", name="May I send this?").click()
    page.get_by_text("What would change it").wait_for()
    row = page.get_by_role("row", name="Does the text say what it must")
    assert "bit.ly" in row.inner_text()
    assert page.get_by_role("heading", name="No").is_visible()
    assert page.get_by_text("Daniel").first.is_visible()
