"""The browser's tests: skipped with a reason where there is no Chromium; in CI that is a failure."""

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import demo_desk


# Not for the session: while Playwright runs, its event loop keeps Django from the database.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if not demo_desk.CHROMIUM:
        reason = "no Chromium: install Debian's package `chromium` to run the browser tests"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with demo_desk.chromium() as running:
        yield running


@pytest.fixture(scope="package")
def demo(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[demo_desk.Demo]:
    """One running demo for all stories; the browser is asked for first, so that no demo starts without one."""
    with demo_desk.Demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Pages of fresh sessions; at the end nothing may stand in any of their consoles."""
    contexts = []
    complaints: list[str] = []

    def open_one(**options: object) -> Page:
        context = demo_desk.context_of(browser, **options)  # type: ignore[arg-type]
        contexts.append(context)
        context.on("page", listen)
        return context.new_page()

    def listen(page: Page) -> None:
        page.on("console", lambda said: said.type in ("error", "warning") and complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []
