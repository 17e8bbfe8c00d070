"""The real demo for a browser: `manage.py demo` in a folder, on ports of its own, and a Chromium to look at it."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests import migrated
from tests.world import ROOT, end, free_port, wait_until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--no-default-browser-check",
    "--disable-features=OptimizationHints,MediaRouter,Translate",
]  # fmt: skip
READY = 60  # seconds


class Demo:
    """`with Demo(folder) as demo:` a running demo; `demo.url`, `demo.handsets`, `demo.password`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.simulator_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.handsets = f"http://127.0.0.1:{self.simulator_port}/phones"
        self.output = folder / "demo.log"
        unwanted = re.compile(r"DATABASE_URL|DJANGO_|SMSDESK_|SECRET_KEY|PUBLIC_URL|SQLITE_|LOG_LEVEL|SIMULATOR_")
        self.environment = {name: value for name, value in os.environ.items() if not unwanted.match(name)}

    def __enter__(self) -> "Demo":
        migrated.prepare_demo(self.folder / "data")
        command = [sys.executable, str(ROOT / "manage.py"), "demo", "--port", str(self.port)]
        command += ["--simulator-port", str(self.simulator_port), "--data", str(self.folder / "data")]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command, env=self.environment, cwd=self.folder, stdout=output, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        try:
            wait_until(lambda: self._answers(f"{self.url}/admin/login/"), seconds=READY, what="the demo's desk")
            wait_until(lambda: self._answers(self.handsets), seconds=READY, what="the demo's handsets")
            wait_until(self._has_worker, seconds=READY, what="the demo's worker")
        except BaseException:
            end(self.process)
            raise
        return self

    def __exit__(self, *problem: object) -> None:
        end(self.process)

    @property
    def secrets(self) -> dict[str, str]:
        return dict(json.loads((self.folder / "data/secrets.json").read_text()))

    @property
    def password(self) -> str:
        return self.secrets["password"]

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def sign_in(self, page: Page, name: str = "admin") -> None:
        page.goto(f"{self.url}/admin/")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill(self.password)
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("navigation", name="Desk").wait_for()

    def text(self, phone: str, text: str, *, sender: str = "+12125550199") -> None:
        """Somebody texts us, by the carrier."""
        body = json.dumps({"from": phone, "sender": sender, "to": sender, "text": text}).encode()
        url = self.handsets.replace("/phones", "/control/inbound")
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert json.loads(answer.read())["status"] < 300

    def _answers(self, url: str) -> bool:
        assert self.process.poll() is None, f"the demo ended early: {self.said()[-3000:]}"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status < 500)
        return False

    def _has_worker(self) -> bool:
        import sqlite3

        with contextlib.closing(sqlite3.connect(self.folder / "data/demo.sqlite3", timeout=5)) as database:
            return bool(database.execute("SELECT COUNT(*) FROM smsdesk_heartbeat").fetchone()[0])


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


def context_of(browser: Browser, *, theme: str = "light", width: int = 1360, height: int = 880) -> BrowserContext:
    """A fresh browser session whose system prefers this theme."""
    return browser.new_context(
        color_scheme="dark" if theme == "dark" else "light",
        viewport={"width": width, "height": height},
        locale="en-US",
        reduced_motion="reduce",
    )
