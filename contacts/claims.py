"""The consent a file is declared to carry: with its whole proof, or none."""

from dataclasses import dataclass
from datetime import UTC, datetime

from contacts.models import Basis, Purpose
from smsdesk import sms_text
from smsdesk.errors import Invalid

EARLIEST = datetime(1992, 12, 3, tzinfo=UTC)  # the first SMS ever
PURPOSES = (Purpose.MARKETING, Purpose.TRANSACTIONAL)
BASES = tuple(b for b in Basis if b not in (Basis.CONVERSATIONAL, Basis.UNPROVEN))
METHODS = {
    "web_form": "Web form",
    "keyword": "Keyword by text message",
    "paper": "Paper form",
    "verbal": "Told to an employee",
    "double_opt_in": "Confirmed sign-up (double opt-in)",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """The consent that every person in the file is declared to have given, with its proof."""

    purpose: str
    basis: str
    obtained_at: datetime
    method: str
    wording: str  # the exact text that was shown
    source: str  # where the proof can be found


def recorded(claim: Claim | None, *, now: datetime) -> dict[str, object]:
    """The columns of an import that hold the claim; None claims none. Raises `Invalid` when a part is missing."""
    if claim is None:
        return {
            "purpose": "",
            "basis": "",
            "consent_obtained_at": None,
            "consent_method": "",
            "consent_wording": "",
            "consent_source": "",
        }
    wording, source = sms_text.clean(claim.wording).strip(), sms_text.clean(claim.source).strip()
    _require(claim.purpose in PURPOSES, field="purpose", value=claim.purpose)
    _require(claim.basis in BASES, field="basis", value=claim.basis)
    _require(claim.method in METHODS, field="consent_method", value=claim.method)
    _require(bool(wording), field="consent_wording", value=claim.wording)
    _require(0 < len(source) <= 300, field="consent_source", value=claim.source)
    if claim.obtained_at > now:
        raise Invalid(
            "consent_in_the_future",
            "Consent cannot be given in the future.",
            field="consent_obtained_at",
            value=claim.obtained_at.isoformat(),
            cure="Give the day on which the last of these people agreed.",
        )
    if claim.obtained_at < EARLIEST:
        raise Invalid(
            "consent_too_old",
            "Nobody agreed to texts that long ago.",
            field="consent_obtained_at",
            value=claim.obtained_at.isoformat(),
            cure="Give the day on which the last of these people agreed.",
        )
    return {
        "purpose": claim.purpose,
        "basis": claim.basis,
        "consent_obtained_at": claim.obtained_at,
        "consent_method": claim.method,
        "consent_wording": wording,
        "consent_source": source,
    }


def _require(is_given: bool, *, field: str, value: str) -> None:
    if not is_given:
        raise Invalid(
            "claim_without_proof",
            "Consent is claimed, and this part of its proof is missing or not allowed.",
            field=field,
            value=value[:60],
            cure="Complete it, or claim no consent.",
        )
