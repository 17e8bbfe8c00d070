"""One sentence per reason code, for people. The list is closed: `permission.judge` knows no other code."""

from collections.abc import Mapping

SENTENCES: dict[str, str] = {
    "OK": "May be sent: consent of {date} covers it.",
    "OK_REPLY_IN_CONVERSATION": "May be sent: this person wrote {time ago} and you are answering.",
    "OK_COMPLIANCE_MESSAGE": "May be sent: this message is required by the rules on STOP, HELP and opt-in.",
    "QUIET_HOURS": "Waiting until {until}: it is outside the allowed hours where this person may be ({zones}).",
    "FREQUENCY_CAP": "Waiting until {until}: this person has had {n} messages, the most allowed in {period}.",
    "FREQUENCY_CAP_REACHED": "Blocked: this person has had {n} messages in {period}, the most allowed, and this "
    "message does not wait.",
    "SENDING_PAUSED": "Blocked: sending is switched off for this brand.",
    "NUMBER_INVALID": "Blocked: {phone} is not a valid phone number.",
    "NUMBER_NOT_MOBILE": "Blocked: this is a landline or toll-free number and cannot get texts.",
    "NUMBER_DEAD": "Blocked: the carrier reported on {date} that this number is no longer in service.",
    "CONFIRM_ALREADY_SENT": "Not sent: this person has had the same confirmation within the last 24 hours.",
    "CONFIRM_PROVIDER_SENT": "Not sent: the provider has confirmed the opt-out itself.",
    "CONFIRM_HAS_MARKETING": "Blocked: a confirmation may not contain an offer.",
    "CONFIRM_TOO_LATE": "Not sent: more than five minutes have passed since STOP.",
    "CONTENT_INCOMPLETE": "Blocked: the opt-in confirmation lacks {parts}.",
    "ERASED": "Blocked: this person's data was erased on {date}.",
    "SUPPRESSED_PROVIDER": "Blocked: the carrier or provider reports that this person opted out.",
    "SUPPRESSED": "Blocked: this person opted out on {date} ({how}).",
    "HELD_FOR_REVIEW": "Blocked: a reply may be an opt-out and waits for someone to read it.",
    "NUMBER_REASSIGNED": "Blocked: this number has a new owner since the consent was given.",
    "AGE_UNVERIFIED": "Blocked: this program needs a birth date and we have none.",
    "MINOR": "Blocked: this person is younger than {age}, the program's minimum age.",
    "COUNTRY_UNKNOWN": "Blocked: we cannot tell which country this number belongs to.",
    "COUNTRY_BLOCKED": "Blocked: marketing texts to {country} are not allowed.",
    "SENDER_NOT_ALLOWED": "Blocked: sender {sender} may not be used for this kind of message in {country}.",
    "SENDER_UNREGISTERED": "Blocked: sender {sender} is not registered yet for {country}.",
    "NO_OPTOUT_PATH": "Blocked: people cannot answer this sender and the text gives no other way to opt out.",
    "CONVERSATION_CLOSED": "Blocked: this person last wrote more than 24 hours ago.",
    "CONTENT_PROMO_IN_REPLY": "Blocked: a reply in a conversation may not advertise.",
    "NO_CONSENT": "Blocked: this person never gave consent.",
    "CONSENT_WRONG_BRAND": "Blocked: consent was given to another brand, not to {brand}.",
    "CONSENT_WRONG_PURPOSE": "Blocked: consent covers {purposes}, not {purpose}.",
    "CONSENT_EXPIRED": "Blocked: consent ran out on {date}.",
    "CONSENT_TOO_WEAK": "Blocked: {country} needs a stronger kind of consent than {basis}.",
    "CONSENT_PENDING": "Blocked: this person has not confirmed the sign-up yet.",
    "CONSENT_NO_PROOF": "Blocked: the consent lacks proof ({missing fields}).",
    "CONTENT_PUBLIC_SHORTENER": "Blocked: the text uses a public link shortener ({host}), which carriers filter.",
    "CONTENT_NO_BRAND": "Blocked: the text does not name the brand.",
    "CONTENT_NO_OPTOUT": "Blocked: this message must say how to opt out.",
    "CONTENT_LINK_NOT_ALLOWED": "Blocked: advertising to {country} may contain no link and no phone number.",
    "CONTENT_SHAFT": "Blocked: the content is restricted ({category}) and the program has no age check.",
    "CONTENT_PROMO_IN_INFORMATIONAL": "Blocked: a transactional message may not advertise.",
    "TZ_UNKNOWN": "Blocked: we cannot tell this person's time zone.",
    "WINDOW_NEVER": "Blocked: in the next 8 days no hour is allowed in all places where this person may be.",
    "NO_LONGER_ASKED": "Not sent: the time in which this text made sense had passed.",
    "TOO_LATE": "Blocked: the next allowed time, {until}, is not before the offer ends.",
    # These come from the send steps, not from `judge`.
    "DAILY_CAP": "Waiting until {until}: the daily cap of {capped} ({most} parts) is reached.",
    "DUPLICATE": "Not sent: this person already has this campaign's message.",
    "STALE_DECISION": "Not sent yet: the check was too old when sending began, so the message goes back to the "
    "queue and is judged again.",
}

# Said where a decision does not know the detail (a summary over many people, an old row).
_UNKNOWN = {
    "date": "an earlier date",
    "time ago": "lately",
    "until": "the next allowed time",
    "zones": "their time zones",
    "n": "the number of",
    "period": "24 hours",
    "phone": "this",
    "parts": "required parts",
    "how": "recorded in the consent history",
    "age": "the minimum age",
    "country": "this country",
    "sender": "chosen here",
    "capped": "its sender or brand",
    "most": "so many",
    "brand": "this one",
    "purposes": "other purposes",
    "purpose": "this one",
    "basis": "the one on record",
    "missing fields": "see the consent history",
    "host": "see the text",
    "category": "see the campaign",
}


def sentence(code: str, detail: Mapping[str, object]) -> str:
    """The sentence of `code` with its gaps filled from `detail`; an unknown code is named as it is."""
    known = {key: str(value) for key, value in detail.items() if value not in (None, "")}
    return SENTENCES.get(code, code).format_map(_UNKNOWN | known)
