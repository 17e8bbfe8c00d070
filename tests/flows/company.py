"""What the people of a story do: integrators over the API, customers on their phones, staff in the browser."""

import http.cookiejar
import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import Any

from tests import world


class Company:
    def __init__(self, desk: world.World, *, key: str, senders: dict[str, dict[str, str]]) -> None:
        self.desk = desk
        self.key = key
        self.senders = senders
        self.sender = senders["infobip"]["value"]
        self.cluster: subprocess.Popen[bytes] | None = None
        self.office = Office(desk.url)

    def open_accounts(self) -> None:
        """The carrier knows our accounts, and where it posts what people text us."""
        entries = [
            {
                "dialect": dialect,
                "name": dialect,
                "credentials": world.CREDENTIALS[dialect],
                "senders": [sender["value"]],
                "inbound_url": sender["inbound_url"],
                "answers_stop": False,
            }
            for dialect, sender in self.senders.items()
        ]
        self.desk.accounts_file.write_text(json.dumps(entries))

    def api(self, method: str, path: str, body: Any = None, *, key: str = "") -> tuple[int, Any]:
        """Status and JSON of one API call; `key` is an Idempotency-Key."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        payload = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.desk.url}/api/v1{path}", payload, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def campaign(self, body: str, *, to: str = "Customers", purpose: str = "marketing") -> str:
        """A campaign, created and launched; its id."""
        status, made = self.api(
            "POST",
            "/campaigns/",
            {
                "name": f"Sale {uuid.uuid4().hex[:6]}",
                "brand": "acme",
                "sender": self.sender,
                "purpose": purpose,
                "body": body,
                "include": [to],
            },
            key=uuid.uuid4().hex,
        )
        assert status == 201, made
        status, launched = self.api("POST", f"/campaigns/{made['id']}/launch/", {}, key=uuid.uuid4().hex)
        assert status == 200, launched
        return str(made["id"])

    def report(self, campaign: str) -> dict[str, Any]:
        status, report = self.api("GET", f"/campaigns/{campaign}/report/")
        assert status == 200, report
        return dict(report)

    def messages(self, *, campaign: str = "", **filters: str) -> list[dict[str, Any]]:
        """Every message that fits, page by page."""
        found: list[dict[str, Any]] = []
        path = "/messages/?" + urllib.parse.urlencode({"limit": 200, **filters})
        while path:
            status, page = self.api("GET", path)
            assert status == 200, page
            found += page["data"]
            path = page["next"].partition("/api/v1")[2] if page["next"] else ""
        return [message for message in found if not campaign or message["campaign"] == campaign]

    def accepted(self, *, to: str = "") -> list[dict[str, Any]]:
        """What the carrier took, in its own words; `to` one phone only."""
        lines = self.desk.carrier_log("accepted")
        return [line for line in lines if not to or line["to"].lstrip("+") == to.lstrip("+")]

    def texts(self, phone: str, text: str, *, dialect: str = "infobip") -> dict[str, Any]:
        answer = self.desk.text(phone=phone, sender=self.senders[dialect]["value"], text=text)
        assert answer["status"] in (200, 204), answer
        return answer


class Office:
    """A browser without scripts: cookies, forms and their tokens."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._open = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        ).open

    def sign_in(self) -> None:
        page = self.get("/admin/login/")
        self.post("/admin/login/?next=/admin/", page, username="ana", password="Secret-4711")

    def get(self, path: str) -> str:
        return self._send(urllib.request.Request(self.url + path))

    def post(self, path: str, page: str, **fields: str) -> str:
        """Send a form of `page` with its token; the page that follows."""
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": self._token(page), **fields}).encode()
        return self._send(urllib.request.Request(self.url + path, data))

    def upload(self, path: str, page: str, *, name: str, content: str) -> str:
        """Send one file with a form of `page`; the page that follows."""
        boundary = "the-boundary-of-this-form"
        field = f"--{boundary}\r\nContent-Disposition: form-data; name="
        parts = [
            f'{field}"csrfmiddlewaretoken"\r\n\r\n{self._token(page)}',
            f'{field}"file"; filename="{name}"\r\nContent-Type: text/csv\r\n\r\n{content}',
            f"--{boundary}--\r\n",
        ]
        request = urllib.request.Request(self.url + path, "\r\n".join(parts).encode())
        request.add_header("Content-Type", f"multipart/form-data; boundary={boundary}")
        return self._send(request)

    @property
    def place(self) -> str:
        """The path of the page that was answered last, after redirects."""
        return urllib.parse.urlsplit(self._place).path

    def _send(self, request: urllib.request.Request) -> str:
        request.add_header("Referer", self.url)
        with self._open(request, timeout=90) as answer:
            self._place = answer.geturl()
            return str(answer.read().decode())

    def _token(self, page: str) -> str:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token, "the page has no form"
        return token[1]
