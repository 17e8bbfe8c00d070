"""`judge` against the reference cases; another file of the same form: SMSDESK_DECISION_CASES=path."""

import csv
import dataclasses
import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contacts import cures, examination, frequency, permission, quiet_hours, rule_book
from smsdesk import errors, phones

CASES = Path(os.environ.get("SMSDESK_DECISION_CASES") or Path(__file__).parent / "data" / "decision_cases.csv")
BRANDS = {"A": 1, "B": 2}
NOON = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
BOOK = rule_book.book_of(rule_book.shipped())


def _cases() -> list[dict[str, str]]:
    with CASES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _purposes(names: Any) -> list[str]:
    names = [names] if isinstance(names, str) else names
    return ["transactional" if name == "informational" else name for name in names]


def _brand(name: str) -> int | None:
    return None if name == "*" else BRANDS.setdefault(name, len(BRANDS) + 1)


def _context(case: dict[str, Any]) -> permission.Context:
    return permission.Context(
        purpose=_purposes(case["purpose"])[0],
        brand_id=_brand(case.get("brand", "A")) or 0,
        brand_name=case.get("brand_name", "acme"),
        is_paused=case.get("paused", False),
        sender_kind="alphanumeric" if case.get("sender") == "alpha" else "long_number",
        is_sender_registered=case.get("sender_registered", True),
        has_optout_link=bool(case.get("optout_url")),
        needs_confirmation=case.get("require_doi", False),
        age_min=case.get("age_min"),
        countries_blocked=frozenset(case.get("countries_blocked", ["TR"])),
        caps=(frequency.Cap(case["cap_n"]),) if case.get("cap_n") else (),
        quiet_applies=case.get("quiet_applies", False),
        margin=timedelta(0),
        send_by=_instant(case.get("send_by")),
        has_marketing=case.get("has_marketing", False),
        restricted="alcohol" if case.get("shaft") else "",
        compliance_kind=case.get("compliance_kind", ""),
        compliance_parts=frozenset(case.get("parts", [])),
        provider_confirms=case.get("provider_autoreplies", False),
    )


def _consent(given: dict[str, Any]) -> permission.Consent:
    return permission.Consent(
        brand_id=_brand(given.get("brand", "A")) or 0,
        purposes=frozenset(_purposes(given["purposes"])),
        basis=given["basis"],
        given_at=datetime.fromisoformat(given["at"]),
        expires_at=_instant(given.get("expires")),
        is_confirmed=given.get("doi", False),
        is_proven=given.get("proof", True),
    )


def _suppressed(case: dict[str, Any]) -> tuple[permission.Suppressed, ...]:
    return tuple(
        permission.Suppressed(
            brand_id=_brand(given.get("brand", case.get("brand", "A"))),
            purpose=purpose,
            source="carrier" if given.get("source") == "provider" else "text",
        )
        for given in case.get("suppressions", [])
        for purpose in _purposes(given.get("purposes", "*"))
    )


def _number(case: dict[str, Any]) -> tuple[str, str, str, tuple[str, ...]]:
    """Number, region, kind and zones; a number that may not be stored may still be judged."""
    given = case["number"]
    try:
        phone = phones.parse(given, default_region="")
    except errors.Invalid:
        return given, phones.region(given), phones.kind(given), phones.time_zones(given)
    return phone.e164, phone.region, phone.kind, phone.time_zones


def _facts(case: dict[str, Any]) -> permission.Facts:
    number, region, kind, zones = _number(case)
    born = case.get("dob")
    return permission.Facts(
        context=_context(case),
        number=number,
        region=region,
        kind=kind if kind == "invalid" else case.get("line_type") or kind,
        zones=zones,
        rules=tuple(BOOK.rule(code, country=region) for code in case.get("rules", [])),
        consents=tuple(_consent(given) for given in case.get("consents", [])),
        suppressions=_suppressed(case),
        body=case.get("body"),
        last_inbound_at=_instant(case.get("last_inbound")),
        recent=tuple((1, datetime.fromisoformat(sent)) for sent in case.get("recent", [])),
        is_held=case.get("review_hold", False),
        dead_since=NOON if case.get("dead") else None,
        is_erased=case.get("erased", False),
        is_reassigned=case.get("rnd") == "yes",
        needs_optout_line=case.get("first_message", False),
        contact_zones=tuple(case.get("contact_tz", [])),
        zone_override=case.get("tz_override") or "",
        birth_date=date.fromisoformat(born) if born else None,
        stopped_at=_instant(case.get("stop_at")),
        has_confirmation=case.get("confirm_sent", False),
    )


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in _cases()])
def test_the_reference_case_is_decided_as_written(case: dict[str, str]) -> None:
    inputs = json.loads(case["inputs"])
    verdict = permission.judge(_facts(inputs), datetime.fromisoformat(inputs["at"]))
    expected, _, until = case["expected"].partition(" until ")
    assert (verdict.outcome, verdict.code) == (expected, case["reason_code"]), case["situation"]
    assert verdict.until == _instant(until)
    assert "{" not in verdict.sentence


# --- beyond the reference file: the edges of each rule ---------------------------------------------------

WRITTEN = {"basis": "express_written", "purposes": ["marketing"], "at": "2026-01-05T00:00:00Z"}
BASE: dict[str, Any] = {
    "number": "+12125550123",
    "at": "2026-11-24T17:00:00Z",
    "purpose": "marketing",
    "consents": [WRITTEN],
    "rules": ["US"],
}
GERMAN = {"number": "+4915123456789", "rules": ["DE"], "at": "2026-11-24T12:00:00Z"}
CANADIAN = {"number": "+14165550123"}
STOP_ALL = {"suppressions": [{"purposes": "*"}]}
REPLY = {"purpose": "conversational", "consents": []}
CONFIRM = {"purpose": "compliance", "compliance_kind": "optout_confirm", "stop_at": "2026-11-24T16:55:00Z"}
WELCOME = {"purpose": "compliance", "compliance_kind": "optin_confirm", "parts": list(permission.OPTIN_PARTS)}


def _consents(**over: Any) -> dict[str, Any]:
    return {"consents": [{**WRITTEN, **over}]}


EDGES: list[tuple[str, dict[str, Any], str]] = [
    ("not a number", {"number": "hello"}, "NUMBER_INVALID"),
    ("a number no plan knows", {"number": "+12425550123"}, "NUMBER_INVALID"),
    ("paused comes before the number", {"number": "hello", "paused": True}, "SENDING_PAUSED"),
    ("dead", {"dead": True}, "NUMBER_DEAD"),
    ("dead comes before compliance", {"dead": True, **CONFIRM}, "NUMBER_DEAD"),
    ("confirmation five minutes after STOP", CONFIRM, "OK_COMPLIANCE_MESSAGE"),
    ("confirmation though suppressed", {**CONFIRM, **STOP_ALL}, "OK_COMPLIANCE_MESSAGE"),
    ("confirmation later", {**CONFIRM, "stop_at": "2026-11-24T16:54:59Z"}, "CONFIRM_TOO_LATE"),
    ("confirmation with an offer", {**CONFIRM, "has_marketing": True}, "CONFIRM_HAS_MARKETING"),
    ("confirmation without STOP", {**CONFIRM, "stop_at": None}, "CONFIRM_TOO_LATE"),
    ("already sent is named first", {**CONFIRM, "confirm_sent": True, "has_marketing": True},
     "CONFIRM_ALREADY_SENT"),
    ("help though erased", {"purpose": "compliance", "compliance_kind": "help_reply", "erased": True},
     "OK_COMPLIANCE_MESSAGE"),
    ("a compliance message of no known kind", {"purpose": "compliance", "compliance_kind": "x"},
     "CONTENT_INCOMPLETE"),
    ("opt-in confirmation after STOP", {**WELCOME, **STOP_ALL}, "SUPPRESSED"),
    ("opt-in confirmation after a provider block",
     {**WELCOME, "suppressions": [{"purposes": "*", "source": "provider"}]}, "SUPPRESSED"),
    ("opt-in confirmation with an offer", {**WELCOME, "has_marketing": True}, "CONFIRM_HAS_MARKETING"),
    ("erased comes before suppressed", {"erased": True, **STOP_ALL}, "ERASED"),
    ("a provider's block is named first",
     {"suppressions": [{"purposes": "*"}, {"purposes": "*", "source": "provider"}]}, "SUPPRESSED_PROVIDER"),
    ("suppressed at another brand", {"suppressions": [{"brand": "B", "purposes": "*"}]}, "OK"),
    ("suppressed for another purpose", {"suppressions": [{"purposes": ["informational"]}]}, "OK"),
    ("a reply to somebody suppressed", {**REPLY, **STOP_ALL, "last_inbound": "2026-11-24T16:00:00Z"}, "SUPPRESSED"),
    ("a reply to somebody held", {**REPLY, "review_hold": True, "last_inbound": "2026-11-24T16:00:00Z"},
     "OK_REPLY_IN_CONVERSATION"),
    ("a reply at night", {**REPLY, "at": "2026-11-24T08:00:00Z", "last_inbound": "2026-11-24T07:59:00Z"},
     "OK_REPLY_IN_CONVERSATION"),
    ("a reply after exactly a day", {**REPLY, "last_inbound": "2026-11-23T17:00:00Z"}, "OK_REPLY_IN_CONVERSATION"),
    ("a reply after more", {**REPLY, "last_inbound": "2026-11-23T16:59:59Z"}, "CONVERSATION_CLOSED"),
    ("a reply to silence", REPLY, "CONVERSATION_CLOSED"),
    ("a reply with an offer", {**REPLY, "last_inbound": "2026-11-24T16:00:00Z", "has_marketing": True},
     "CONTENT_PROMO_IN_REPLY"),
    ("no birth date", {"age_min": 21}, "AGE_UNVERIFIED"),
    ("born on a leap day, the day before", {"age_min": 18, "dob": "2008-02-29", "at": "2026-02-28T17:00:00Z",
                                           **_consents(at="2026-01-05T00:00:00Z")}, "MINOR"),
    ("born on a leap day, the day after", {"age_min": 18, "dob": "2008-02-29", "at": "2026-03-01T17:00:00Z"}, "OK"),
    ("marketing to Turkey", {"number": "+905321234567", "rules": ["TR"]}, "COUNTRY_BLOCKED"),
    ("a country the operator blocks", {**GERMAN, "countries_blocked": ["DE"]}, "COUNTRY_BLOCKED"),
    ("a name as sender in the US", {"sender": "alpha", "optout_url": "https://acme.example/o"},
     "SENDER_NOT_ALLOWED"),
    ("a name as sender in Germany", {**GERMAN, "sender": "alpha", "optout_url": "https://acme.example/o"}, "OK"),
    ("consent at another brand", _consents(brand="B"), "CONSENT_WRONG_BRAND"),
    ("wrong purpose here outranks right purpose there",
     {"consents": [{**WRITTEN, "brand": "B"}, {**WRITTEN, "purposes": ["informational"]}]},
     "CONSENT_WRONG_PURPOSE"),
    ("the best of several consents counts", {"consents": [{**WRITTEN, "basis": "express"}, WRITTEN]}, "OK"),
    ("a purpose nobody knows", {"purpose": "fundraising"}, "CONSENT_WRONG_PURPOSE"),
    ("no purpose is judged as marketing", {"purpose": "", **_consents(basis="express")}, "CONSENT_TOO_WEAK"),
    ("over from this very instant", _consents(expires="2026-11-24T17:00:00Z"), "CONSENT_EXPIRED"),
    ("not over a second before", _consents(expires="2026-11-24T17:00:01Z"), "OK"),
    ("a purchase of two years ago", {**CANADIAN, **_consents(basis="implied_purchase", at="2024-11-24T17:00:00Z")},
     "CONSENT_EXPIRED"),
    ("a purchase a second younger", {**CANADIAN, **_consents(basis="implied_purchase", at="2024-11-24T17:00:01Z")},
     "OK"),
    ("six calendar months from the 31st end on the last day of February",
     {**CANADIAN, "at": "2026-02-28T17:00:01Z", **_consents(basis="implied_inquiry", at="2025-08-31T17:00:01Z")},
     "CONSENT_EXPIRED"),
    ("written outside the US serves as express", GERMAN, "OK"),
    ("soft opt-in in the EU", {**GERMAN, **_consents(basis="soft_opt_in")}, "OK"),
    ("soft opt-in in Jersey", {"number": "+447797712345", "rules": ["GB"], **_consents(basis="soft_opt_in")}, "OK"),
    ("inferred consent in the EU", {**GERMAN, **_consents(basis="inferred")}, "CONSENT_TOO_WEAK"),
    ("a purchase in Brazil", {"number": "+5511961234567", "rules": ["*"], **_consents(basis="implied_purchase")},
     "CONSENT_TOO_WEAK"),
    ("an inquiry carries no order message",
     {**CANADIAN, "purpose": "informational",
      **_consents(basis="implied_inquiry", purposes=["informational"], at="2026-10-01T00:00:00Z")},
     "CONSENT_TOO_WEAK"),
    ("whoever wrote to us agreed to no marketing", _consents(basis="conversational"), "CONSENT_TOO_WEAK"),
    ("unproven never carries marketing", _consents(basis="unproven"), "CONSENT_TOO_WEAK"),
    ("confirmed double opt-in", {"require_doi": True, **_consents(doi=True)}, "OK"),
    ("no proof", _consents(proof=False), "CONSENT_NO_PROOF"),
    ("no proof of transactional consent",
     {"purpose": "informational", **_consents(basis="express", purposes=["informational"], proof=False)}, "OK"),
    ("a public shortener in capitals", {"body": "Acme: HTTPS://BIT.LY. Reply STOP"}, "CONTENT_PUBLIC_SHORTENER"),
    ("a shortener with an invisible space", {"body": "Acme: bit\u200b.ly/x"}, "CONTENT_PUBLIC_SHORTENER"),
    ("a shortener in full width", {"body": "Acme: ｂｉｔ．ｌｙ/x"}, "CONTENT_PUBLIC_SHORTENER"),
    ("a shortener with www", {"body": "Acme: http://www.tinyurl.com/x"}, "CONTENT_PUBLIC_SHORTENER"),
    ("best.com is not t.co", {"body": "Acme: best.com t.co.uk not.co xt.co t.company"}, "OK"),
    ("the brand in another case", {"body": "ACME sale"}, "OK"),
    ("a name as sender is the brand",
     {**GERMAN, "sender": "alpha", "optout_url": "https://x.example", "body": "Sale"}, "OK"),
    ("the first message without a way out", {"body": "Acme: sale", "first_message": True}, "CONTENT_NO_OPTOUT"),
    ("the first message with one", {"body": "Acme: sale. Reply Stop", "first_message": True}, "OK"),
    ("restricted content behind an age gate", {"body": "Acme: beer", "shaft": True, "age_min": 21,
                                               "dob": "1990-01-01"}, "OK"),
    ("content is not judged without a body", {"shaft": True}, "OK"),
    ("below the cap", {"cap_n": 3, "recent": ["2026-11-24T14:00:00Z", "2026-11-24T15:00:00Z"]}, "OK"),
    ("a message exactly a day old no longer counts", {"cap_n": 1, "recent": ["2026-11-23T17:00:00Z"]}, "OK"),
    ("a capped message that may go only in quiet hours",
     {"cap_n": 1, "recent": ["2026-11-24T03:00:00Z"], "at": "2026-11-24T17:00:00Z"}, "FREQUENCY_CAP"),
    ("a fourth message in Florida",
     {"number": "+13055550123", "rules": ["US", "US-FL"],
      "recent": ["2026-11-24T14:00:00Z", "2026-11-24T15:00:00Z", "2026-11-24T16:00:00Z"]}, "FREQUENCY_CAP"),
    ("a fourth message elsewhere",
     {"recent": ["2026-11-24T14:00:00Z", "2026-11-24T15:00:00Z", "2026-11-24T16:00:00Z"]}, "OK"),
    ("order messages have no quiet hours",
     {"purpose": "informational", "at": "2026-11-24T08:00:00Z",
      **_consents(basis="express", purposes=["informational"])}, "OK"),
    ("unless the program wants them",
     {"purpose": "informational", "at": "2026-11-24T08:00:00Z", "quiet_applies": True,
      **_consents(basis="express", purposes=["informational"])}, "QUIET_HOURS"),
    ("a zone that is none", {"contact_tz": ["Mars/Phobos"]}, "TZ_UNKNOWN"),
    ("their own word replaces the zones", {"tz_override": "Asia/Tokyo"}, "QUIET_HOURS"),
    ("no rule at all", {"rules": []}, "WINDOW_NEVER"),
    ("the offer ends now", {"send_by": "2026-11-24T17:00:00Z"}, "TOO_LATE"),
    ("the offer ends in a second", {"send_by": "2026-11-24T17:00:01Z"}, "OK"),
    ("the offer ends as the window opens", {"at": "2026-11-24T08:00:00Z", "send_by": "2026-11-24T13:00:00Z"},
     "TOO_LATE"),
    ("a block outranks a deferral", {"at": "2026-11-24T08:00:00Z", **STOP_ALL}, "SUPPRESSED"),
]  # fmt: skip


@pytest.mark.parametrize(("over", "code"), [pytest.param(over, code, id=name) for name, over, code in EDGES])
def test_the_edge_is_decided(over: dict[str, Any], code: str) -> None:
    case = {**BASE, **over}
    verdict = permission.judge(_facts(case), datetime.fromisoformat(case["at"]))
    assert verdict.code == code
    assert (verdict.outcome == "deferred") == (verdict.until is not None)
    json.dumps(verdict.detail)  # it is stored with the message


def test_a_cap_that_ends_at_night_waits_for_the_morning() -> None:
    case = {**BASE, "cap_n": 1, "recent": ["2026-11-24T03:00:00Z"]}
    verdict = permission.judge(_facts(case), NOON)
    assert (verdict.code, verdict.until) == ("FREQUENCY_CAP", datetime(2026, 11, 25, 13, 0, tzinfo=UTC))


def test_every_code_has_its_sentence_also_without_detail() -> None:
    for code in permission.SENTENCES:
        assert "{" not in permission.sentence(code, {})
    assert permission.sentence("SOMETHING_NEW", {}) == "SOMETHING_NEW"


def test_a_sentence_says_what_is_known() -> None:
    case = {**BASE, "at": "2026-11-24T08:00:00Z"}
    verdict = permission.judge(_facts(case), datetime.fromisoformat(case["at"]))
    assert "2026-11-24 13:00 UTC" in verdict.sentence
    assert "America/New_York" in verdict.sentence


def test_the_margin_keeps_the_last_ten_minutes_of_a_window_free() -> None:
    facts = _facts(BASE)
    facts = dataclasses.replace(facts, context=dataclasses.replace(facts.context, margin=quiet_hours.MARGIN))
    assert permission.judge(facts, datetime(2026, 11, 25, 1, 49, 59, tzinfo=UTC)).code == "OK"
    assert permission.judge(facts, datetime(2026, 11, 25, 1, 50, tzinfo=UTC)).code == "QUIET_HOURS"


def _judged(case: dict[str, Any], **context: Any) -> str:
    facts = _facts({**BASE, **case})
    facts = dataclasses.replace(facts, context=dataclasses.replace(facts.context, **context))
    return permission.judge(facts, datetime.fromisoformat({**BASE, **case}["at"])).code


FRENCH = {"number": "+33612345678", "rules": ["FR"], "at": "2026-11-24T12:00:00Z"}
EMIRATI = {"number": "+971501234567", "rules": ["AE"], "at": "2026-11-24T12:00:00Z"}


@pytest.mark.parametrize(
    ("case", "context", "code"),
    [
        (FRENCH, {"sender": "+33612345679", "sender_kind": "long_number"}, "SENDER_NOT_ALLOWED"),
        (FRENCH, {"sender": "36180", "sender_kind": "short_code"}, "OK"),
        (EMIRATI, {"registered_in": frozenset({"US"})}, "SENDER_UNREGISTERED"),
        (EMIRATI, {"registered_in": frozenset({"US", "AE"})}, "OK"),
        (EMIRATI, {"sender": "ACME", "sender_kind": "alphanumeric"}, "SENDER_NOT_ALLOWED"),
        (EMIRATI, {"sender": "AD-ACME", "sender_kind": "alphanumeric", "has_optout_link": True}, "OK"),
        ({**EMIRATI, "body": "Acme: sale at https://acme.example"}, {}, "CONTENT_LINK_NOT_ALLOWED"),
        ({**EMIRATI, "body": "Acme: sale, call +971 4 123 4567"}, {}, "CONTENT_LINK_NOT_ALLOWED"),
        ({**EMIRATI, "body": "Acme: 20.5 % off on 24.12. in 3 shops"}, {}, "OK"),
        (GERMAN, {"registered_in": frozenset()}, "OK"),
    ],
)
def test_a_country_lets_through_only_senders_and_texts_it_accepts(case, context, code):
    assert _judged(case, **context) == code


def test_a_skipping_cap_blocks_and_a_waiting_campaign_overrules_it():
    caps = (frequency.Cap(1, skips=True), frequency.Cap(1, timedelta(days=2)))
    case = {"recent": ["2026-11-24T14:00:00Z"]}
    assert _judged(case, caps=caps) == "FREQUENCY_CAP_REACHED"
    assert _judged(case, caps=caps, when_capped="wait") == "FREQUENCY_CAP"
    assert _judged(case, caps=caps[1:], when_capped="skip") == "FREQUENCY_CAP_REACHED"


def test_the_longest_of_several_caps_decides_how_long():
    facts = _facts({**BASE, "recent": ["2026-11-24T14:00:00Z"]})
    caps = (frequency.Cap(1), frequency.Cap(1, timedelta(days=2)))
    facts = dataclasses.replace(facts, context=dataclasses.replace(facts.context, caps=caps))
    assert permission.judge(facts, NOON).until == datetime(2026, 11, 26, 14, 0, tzinfo=UTC)


# --- a decision laid open ---------------------------------------------------------------------------------

EVERY_CASE = [json.loads(case["inputs"]) for case in _cases()] + [{**BASE, **over} for _, over, _ in EDGES]


@pytest.mark.parametrize("case", EVERY_CASE)
def test_an_examination_says_what_the_judge_says(case: dict[str, Any]) -> None:
    facts, at = _facts(case), datetime.fromisoformat(case["at"])
    found = examination.examine(facts, at, brands={1: "Acme"})
    assert found.verdict == permission.judge(facts, at)
    assert [look.verdict for look in found.looks if look.is_decisive] == [found.verdict]
    assert bool(found.cure) == (found.verdict.outcome != "allowed")


def test_an_examination_tells_what_would_block_next() -> None:
    found = examination.examine(_facts({**BASE, **STOP_ALL, "consents": []}), NOON, brands={})
    blocks = [look.verdict.code for look in found.looks if look.verdict]
    assert blocks == ["SUPPRESSED", "NO_CONSENT"]


def test_an_examination_shows_each_zone_under_each_rule() -> None:
    case = {**BASE, "rules": ["US", "US-TX"], "contact_tz": ["America/Chicago"], "at": "2026-11-24T14:30:00Z"}
    windows = examination.examine(_facts(case), datetime.fromisoformat(case["at"]), brands={}).windows
    assert [(one.zone, one.rule, one.today, one.is_open) for one in windows] == [
        ("America/Chicago", "US", "08:00–21:00", True),
        ("America/Chicago", "US-TX", "09:00–21:00", False),
        ("America/New_York", "US", "08:00–21:00", True),
        ("America/New_York", "US-TX", "09:00–21:00", True),
    ]


def test_every_reason_to_block_has_its_cure() -> None:
    waits = {"QUIET_HOURS", "FREQUENCY_CAP", "DAILY_CAP", "DUPLICATE", "STALE_DECISION"}
    assert {code for code in permission.SENTENCES if not code.startswith("OK")} - waits == set(cures.CURES)
