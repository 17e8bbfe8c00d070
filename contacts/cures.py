"""What would have to happen before a blocked message may be sent: one sentence per reason, for the operator."""

from contacts.facts import Verdict

_AGREE = "The person has to agree: by a keyword, a sign-up form, or an agreement you record with its proof."
_COME_BACK = "Only the person can lift it: by texting START, or by opting in themselves."

CURES: dict[str, str] = {
    "SENDING_PAUSED": "Switch the brand's sending on again.",
    "NUMBER_INVALID": "Find the person's right number; this one will never be sent to.",
    "NUMBER_NOT_MOBILE": "Ask the person for a mobile number.",
    "NUMBER_DEAD": "Ask the person for their new number.",
    "CONFIRM_ALREADY_SENT": "Nothing: they know already.",
    "CONFIRM_PROVIDER_SENT": "Nothing: they know already.",
    "CONFIRM_HAS_MARKETING": "Take the offer out of the confirmation.",
    "CONFIRM_TOO_LATE": "Nothing: a later confirmation would be one more message after STOP.",
    "CONTENT_INCOMPLETE": "Complete the confirmation's text.",
    "NO_LONGER_ASKED": "Nothing: a later one would be asked for anew.",
    "ERASED": _AGREE,
    "SUPPRESSED_PROVIDER": _COME_BACK,
    "SUPPRESSED": _COME_BACK,
    "HELD_FOR_REVIEW": "Read the text that is held and say whether it is an opt-out.",
    "NUMBER_REASSIGNED": "The new owner has to agree themselves.",
    "AGE_UNVERIFIED": "Ask for the birth date and record it.",
    "MINOR": "Nothing, until the person is old enough.",
    "COUNTRY_UNKNOWN": "Find a number that belongs to a country.",
    "COUNTRY_BLOCKED": "Take the country off the brand's list, if you hold what its law asks for.",
    "SENDER_NOT_ALLOWED": "Choose another sender for this country.",
    "SENDER_UNREGISTERED": "Register the sender there, or choose one that is.",
    "NO_OPTOUT_PATH": "Put an opt-out link into the text, or choose a sender people can answer.",
    "CONVERSATION_CLOSED": "Wait until the person writes again, or ask under a purpose they agreed to.",
    "CONTENT_PROMO_IN_REPLY": "Take the offer out of the reply.",
    "NO_CONSENT": _AGREE,
    "CONSENT_WRONG_BRAND": _AGREE,
    "CONSENT_WRONG_PURPOSE": _AGREE,
    "CONSENT_EXPIRED": _AGREE,
    "CONSENT_TOO_WEAK": "Get express written agreement; what is on record does not carry this there.",
    "CONSENT_PENDING": "The person has to confirm: by answering YES to the request.",
    "CONSENT_NO_PROOF": "Record the agreement with the words shown, how and what the person did.",
    "CONTENT_PUBLIC_SHORTENER": "Use the full address of your own site.",
    "CONTENT_NO_BRAND": "Name the brand in the text.",
    "CONTENT_NO_OPTOUT": "Say how to opt out: Reply STOP to opt out.",
    "CONTENT_LINK_NOT_ALLOWED": "Take links and phone numbers out of the text for this country.",
    "CONTENT_SHAFT": "Set a minimum age for the brand or the campaign.",
    "CONTENT_PROMO_IN_INFORMATIONAL": "Take the offer out, or send it as marketing.",
    "TZ_UNKNOWN": "Record where the person lives: an address, or their own word.",
    "WINDOW_NEVER": "Check the quiet hours rules; together they leave no hour.",
    "TOO_LATE": "Move the end of the offer.",
    "FREQUENCY_CAP_REACHED": "Wait until earlier messages are older, or change the cap.",
}


def of(verdict: Verdict) -> str:
    """ "" where it may be sent; when waiting is enough, until when."""
    if verdict.outcome == "allowed":
        return ""
    if verdict.until is not None:
        return f"Wait until {verdict.until:%Y-%m-%d %H:%M %Z}; it is judged again then."
    return CURES[verdict.code]  # a test holds the two lists together
