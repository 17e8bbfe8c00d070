"""A real web process whose database goes away and comes back: what was answered 2xx exists, and once only."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from smsdesk.gateways import hooks, twilio_signature
from tests import database_proxy, world

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(
        not os.environ.get("DATABASE_URL", "").startswith("postgres"), reason="SQLite cannot go away by itself"
    ),
]
TOKEN = world.CREDENTIALS["twilio"]["auth_token"]
SID = world.CREDENTIALS["twilio"]["account_sid"]


class Carrier:
    """Posts as Twilio and Infobip do; the status of each answer."""

    def __init__(self, desk: world.World) -> None:
        self._desk = desk
        self._ledger = json.loads((desk.folder / "sent.json").read_text())

    def message(self, dialect: str, number: int) -> tuple[str, str]:
        reference, gateway_id = self._ledger[dialect]["messages"][number]
        return reference, gateway_id

    def twilio(self, number: int, status: str, *, token: str = TOKEN) -> int:
        reference, gateway_id = self.message("twilio", number)
        form = {"MessageSid": gateway_id, "MessageStatus": status, "AccountSid": SID}
        return self._signed("status", form, query=f"?m={reference}", token=token)

    def text(self, words: str, *, sid: str) -> int:
        form = {"MessageSid": sid, "AccountSid": SID, "From": "+12122001100", "To": "+12025550000", "Body": words}
        return self._signed("inbound", form, query="", token=TOKEN)

    def infobip(self, number: int) -> int:
        reference, _ = self.message("infobip", number)
        status = {"id": 5, "groupName": "DELIVERED", "name": "DELIVERED_TO_HANDSET"}
        body = json.dumps({"results": [{"messageId": reference, "status": status, "error": {"id": 0}}]})
        return self._post(self._path("infobip", "status"), body.encode(), {"Content-Type": "application/json"})

    def stranger(self) -> int:
        path = "/hooks/00000000-0000-4000-8000-000000000000/x/status/"
        return self._post(path, b"{}", {"Content-Type": "application/json"})

    def _signed(self, kind: str, form: dict[str, str], *, query: str, token: str) -> int:
        path = self._path("twilio", kind) + query
        proof = twilio_signature.signature(
            self._desk.url + path, form={name: [value] for name, value in form.items()}, secret=token
        )
        headers = {"Content-Type": hooks.FORM, "X-Twilio-Signature": proof}
        return self._post(path, urlencode(form).encode(), headers)

    def _path(self, dialect: str, kind: str) -> str:
        return f"/hooks/{self._ledger[dialect]['account']}/{self._ledger[dialect]['secret']}/{kind}/"

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        request = urllib.request.Request(self._desk.url + path, body, headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Iterator[world.World]:
    """Its web process reaches the database through `desk.door`; everything else reaches it directly."""
    with world.world(tmp_path_factory.mktemp("desk"), database_url=os.environ["DATABASE_URL"]) as made:
        made.migrate()
        order = {"messages": 40, "dialects": ["twilio", "infobip"], "into": str(made.folder / "sent.json")}
        made.python("tests.benchmarks.sent", json.dumps(order))
        direct = made.environment["DATABASE_URL"]
        with database_proxy.Proxy(direct) as door:
            made.environment["DATABASE_URL"] = door.url(direct)
            web = made.web()
            made.environment["DATABASE_URL"] = direct
            made.door = door
            yield made
            world.end(web)


@pytest.fixture
def carrier(desk) -> Carrier:
    return Carrier(desk)


def received(desk: world.World) -> dict[str, int]:
    return dict(desk.python("tests.benchmarks.received"))


def test_an_outage_loses_nothing_and_doubles_nothing(desk, carrier):
    assert (carrier.twilio(0, "sent"), carrier.infobip(0)) == (200, 200)
    desk.door.shut()
    assert [carrier.twilio(number, "delivered") for number in range(10)] == [200] * 10
    assert [carrier.twilio(number, "delivered") for number in range(5)] == [200] * 5  # and again
    assert carrier.infobip(1) == 503  # it sends again
    assert carrier.text("STOP", sid="SM-stop") == 503  # no promise can be made of it
    assert carrier.twilio(11, "delivered", token="another") in (403, 503)
    assert carrier.stranger() == 503

    desk.door.open()
    spool = desk.folder / "spool"
    world.wait_until(lambda: not list(spool.glob("*.waiting")), seconds=20, what="the spool's replay")
    # The STOP was kept although it was refused: this carrier does not send it again.
    expected = {"events": 12, "delivered": 11, "texts": 1, "suppressed": 1, "orphans": 0}
    assert received(desk) == expected
    assert (carrier.infobip(0), carrier.twilio(0, "sent"), carrier.twilio(3, "delivered")) == (200, 200, 200)
    assert carrier.text("STOP", sid="SM-stop") == 200
    assert received(desk) == expected
    assert not (spool / "set-aside").exists()


def test_one_broken_connection_costs_no_receipt(desk, carrier):
    """As after a restart of the database, or where something cuts idle connections."""
    before = received(desk)["delivered"]
    for number in range(20, 26):
        assert carrier.infobip(number) == 200
        desk.door.shut()
        desk.door.open()
    assert received(desk)["delivered"] == before + 6
