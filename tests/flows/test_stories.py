"""The desk's day, told through HTTP, a real worker cluster and the carrier's own log."""

import re
import uuid

from tests import world
from tests.benchmarks.people import number
from tests.flows.company import Company

SALE = "Acme: Hi {{ first_name }}, 20% off until Sunday. Reply STOP to opt out."


def until(check, *, seconds=40, what):
    return world.wait_until(check, seconds=seconds, what=what)


def test_an_imported_list_gets_a_campaign_and_the_report_says_delivered(company: Company):
    office = company.office
    office.sign_in()
    lines = [
        "phone,name,city",
        *(f"{number(500 + i)},Bo {i},Springfield" for i in range(25)),
        "+1 800 555 0199,Free,X",
    ]
    admin = "/admin/contacts/contactimport/"
    page = office.upload(f"{admin}add/", office.get(f"{admin}add/"), name="people.csv", content="\n".join(lines))
    page = office.post(office.place, page, **import_choices(page))
    assert "25" in page
    page = office.post(office.place.replace("preview", "start"), page)
    report_place = office.place
    until(lambda: "Finished" in office.get(report_place), what="the import")
    assert "toll-free" in office.get(report_place.replace("change/", "errors.csv"))

    campaign = company.campaign(
        "Hi {{ first_name }}, your order is ready.", to="Springfield", purpose="transactional"
    )
    report = until(lambda: (r := company.report(campaign))["delivered"] == 25 and r, what="all delivered")

    assert (report["targeted"], report["failed"], report["skipped"]) == (25, 0, 0)
    assert company.accepted(to=number(507))[0]["body"] == "Hi Bo, your order is ready."
    phones = [line["to"] for line in company.accepted()]
    assert len(phones) == len(set(phones))


def import_choices(page: str) -> dict[str, str]:
    """What somebody fills in on the columns page."""
    brand = re.search(r'<option value="(\d+)"[^>]*>Acme', page)
    assert brand
    return {
        "brand": brand[1],
        "new_list": "Springfield",
        "default_country": "US",
        "purpose": "transactional",
        "basis": "express_written",
        "obtained_at": "2026-01-05T10:00",
        "method": "paper",
        "wording": "Acme may text me about my orders.",
        "source": "Order form 2026",
        "column_0": "phone",
        "column_1": "name",
        "column_2": "attribute",
        "attribute_2": "city",
    }


def test_join_is_consent_with_proof_and_gets_an_answer(company: Company):
    phone = "+12025550177"
    company.texts(phone, "join")
    until(lambda: company.accepted(to=phone), what="the automatic reply")

    assert company.accepted(to=phone)[0]["body"].startswith("Acme Deals: You're in!")
    status, page = company.api("GET", f"/contacts/?phone={phone.replace('+', '%2B')}")
    assert status == 200
    status, consents = company.api("GET", f"/contacts/{page['data'][0]['id']}/consents/")
    assert status == 200
    granted = next(event for event in consents["data"] if "marketing" in event["purposes"])
    assert (granted["kind"], granted["source"], granted["has_evidence"]) == ("opt_in", "text", True)
    # Proven consent: the judge lets marketing go, now or in the morning.
    order = {"to": phone, "purpose": "marketing", "text": "Acme: 20% off today. Reply STOP to opt out."}
    status, answer = company.api("POST", "/messages/", order, key=uuid.uuid4().hex)
    assert answer["recipients"][0]["code"] in ("OK", "QUIET_HOURS")


def test_a_question_is_answered_by_an_agent_and_delivered(company: Company):
    phone = "+12025550178"
    company.texts(phone, "When do you open?", dialect="twilio")
    listed = company.api("GET", f"/conversations/?phone={phone.replace('+', '%2B')}")[1]["data"]
    _, conversation = company.api("GET", f"/conversations/{listed[0]['id']}/")
    assert conversation["thread"][-1]["text"] == "When do you open?"

    reply = {"text": "At nine.", "last_seen": conversation["last_seen"]}
    status, answer = company.api("POST", f"/conversations/{listed[0]['id']}/reply/", reply, key=uuid.uuid4().hex)

    assert status in (201, 202), answer
    until(lambda: company.accepted(to=phone), what="the reply at the carrier")
    assert company.accepted(to=phone)[0]["body"] == "At nine."
    until(lambda: [m["state"] for m in company.messages(phone=phone)] == ["delivered"], what="the reply's receipt")


def test_an_api_send_with_the_same_idempotency_key_is_one_sms(company: Company):
    order = {"to": number(1), "purpose": "transactional", "text": "Your parcel is at the door."}
    before = len(company.accepted(to=number(1)))
    first = company.api("POST", "/messages/", order, key="parcel-1182")
    second = company.api("POST", "/messages/", order, key="parcel-1182")

    assert first[0] == second[0] == 202
    assert first[1]["recipients"][0]["message"]["id"] == second[1]["recipients"][0]["message"]["id"]
    until(lambda: len(company.accepted(to=number(1))) > before, what="the SMS")
    until(lambda: not company.messages(state="submitting"), what="nothing under way")
    assert len(company.accepted(to=number(1))) == before + 1
    assert len([m for m in company.messages(kind="api") if m["to"] == number(1)]) == 1


def test_nothing_begins_for_a_phone_after_its_stop_was_answered(busy_company: Company):
    company = busy_company
    company.campaign(SALE)
    until(lambda: len(company.accepted()) >= 40, what="the campaign under way")
    sent = {line["to"].lstrip("+") for line in company.desk.carrier_log("seen")}
    waiting = [number(i) for i in range(200) if number(i).lstrip("+") not in sent]
    last, next_ones = waiting[-1:-41:-10], waiting[0:30:6]
    stopping = last + next_ones

    for phone in stopping:
        company.texts(phone, "STOP")
    until(lambda: not company.messages(state="queued"), seconds=60, what="the rest sent")

    answered = {line["from"]: line["taken_at"] for line in company.desk.carrier_log("inbound")}
    for phone in stopping:
        moment = answered[phone]
        calls = [line for line in company.desk.carrier_log("seen") if line["to"].lstrip("+") == phone.lstrip("+")]
        sales = [line for line in calls if line["t"] > moment and not _is_confirmation(company, line)]
        assert sales == [], phone
    states = {m["to"]: m["state"] for m in company.messages(campaign=_only_campaign(company))}
    assert {states[phone] for phone in stopping} <= {"cancelled", "skipped", "accepted"}
    # Whether the next ones had left already depends on the machine.
    assert {states[phone] for phone in last} == {"cancelled"}


def test_a_worker_killed_in_mid_campaign_sends_nothing_twice_and_loses_nothing(busy_company: Company):
    company = busy_company
    campaign = company.campaign(SALE)
    until(lambda: len(company.accepted()) >= 40, what="the campaign under way")
    company.desk.post_json(f"{company.desk.simulator_url}/control/faults", {"latency_ms": 800})

    left = kill_in_mid_call(company, campaign)
    assert 0 < len(left) <= 40  # the one batch of the one lane
    company.desk.post_json(f"{company.desk.simulator_url}/control/faults", {"latency_ms": 0})
    company.cluster = company.desk.cluster()
    until(
        lambda: not any(company.messages(campaign=campaign, state=s) for s in ("queued", "submitting", "unknown")),
        seconds=90,
        what="every row settled",
    )

    until(lambda: len(company.accepted()) >= 200, what="the carrier's log, written each 50 ms")
    references = [line["reference"] for line in company.accepted()]
    phones = [line["to"] for line in company.accepted()]
    assert len(references) == len(set(references)) == 200
    assert len(set(phones)) == 200
    assert {m["state"] for m in company.messages(campaign=campaign)} == {"accepted"}
    assert company.desk.carrier_log("lookup")  # nobody guessed: the gateway was asked


def kill_in_mid_call(company: Company, campaign: str) -> list[dict]:
    """kill -9 the whole cluster while a batch is in its call; what it left in `submitting`.

    Between seeing the call and killing lies a request: where the call was over by then, it is tried again.
    """
    for _ in range(5):
        until(lambda: company.messages(campaign=campaign, state="submitting"), what="a call under way")
        world.kill_group(company.cluster)
        left = company.messages(campaign=campaign, state="submitting")
        if left:
            return left
        company.cluster = company.desk.cluster()
    raise AssertionError("no call could be caught")


def _is_confirmation(company: Company, call: dict) -> bool:
    bodies = {line["reference"]: line["body"] for line in company.accepted()}
    return bool(re.search("unsubscribed", bodies.get(call["reference"], "")))


def _only_campaign(company: Company) -> str:
    return str(company.api("GET", "/campaigns/")[1]["data"][0]["id"])
