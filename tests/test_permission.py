"""`judge` against the reference cases; another file of the same form: SMSDESK_DECISION_CASES=path."""

import csv
import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contacts import permission, quiet_hours
from smsdesk import errors, phones

CASES = Path(os.environ.get("SMSDESK_DECISION_CASES") or Path(__file__).parent / "data" / "decision_cases.csv")
BRANDS = {"A": 1, "B": 2}
NOON = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
BOOK = quiet_hours.book_of(
    (row["code"], json.loads(row["windows_json"]), row["holidays"] == "closed") for row in quiet_hours.shipped()
)


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
        cap=case.get("cap_n"),
        quiet_applies=case.get("quiet_applies", False),
        margin=timedelta(0),
        send_by=_instant(case.get("send_by")),
        has_marketing=case.get("has_marketing", False),
        is_restricted=case.get("shaft", False),
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
        recent=tuple(datetime.fromisoformat(sent) for sent in case.get("recent", [])),
        is_held=case.get("review_hold", False),
        is_dead=case.get("dead", False),
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
