"""What axe finds on the desk's pages, also on those of a desk in trouble."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser import demo_desk, screenshots, trouble

PAGES = [*(one for one in screenshots.MAIN + screenshots.MORE if one is not screenshots.login), *trouble.PAGES]
# In the dark only the colours are others: what stands on a page, and how it is named, was seen in the light.
_RULES = {
    "light": {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "dark": {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}},
}


HALVES = (0, 1)  # two tests can be run beside each other


def serious(browser: Browser, demo: demo_desk.Demo, *, theme: str, half: int) -> dict[str, list[str]]:
    """Of every second page its serious and critical findings with their places; empty where there is none."""
    context = demo_desk.context_of(browser, theme=theme)  # not watched: axe itself complains of the policy
    page = context.new_page()
    demo.sign_in(page)
    found = {}
    for visit in [*PAGES[half::2], screenshots.login]:
        visit(page, demo)
        page.wait_for_timeout(300)
        told = [
            f"{one['id']}: {node['target']}"
            for one in Axe().run(page, options=_RULES[theme]).response["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]
        if told:
            found[visit.__name__] = told
    context.close()
    return found
