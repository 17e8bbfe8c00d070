"""Why a gateway or a carrier did not deliver, in plain words, and what one can do about it.

By the gateway's own code where we know it (Twilio: its error dictionary; Infobip: its list of error codes), else
by our class of error (`smsdesk/gateways/errors.py`).
"""

from collections.abc import Sequence
from typing import NamedTuple

from campaigns.models import GatewayKind
from smsdesk.gateways.errors import ErrorClass


class Words(NamedTuple):
    cause: str
    advice: str


_GONE = "The number is not in service."
_OFF = "The phone was switched off or out of reach until the carrier gave up."
_FILTERED = "The carrier's spam filter stopped the text."
_STOPPED = "The carrier or gateway holds an opt-out of this number."
_EXPIRED = "The carrier could not deliver it in time."

_NOTHING = "Nothing to do: it is treated as gone from now on."
_LATER = "A later message may arrive."
_TEXT = "Look at the text: links, capitals, offers. Ask the gateway if it repeats."
_REGISTER = "Finish the registration of the sender with the gateway."
_OPTED = "Nothing to do: it was recorded as an opt-out."

_TWILIO = {
    "21211": Words("The gateway does not accept this number as a phone number.", "Correct the contact's number."),
    "21606": Words("This sender cannot send to that country.", "Choose another sender for it."),
    "21608": Words("The gateway account is a trial and may only text verified numbers.", "Upgrade the account."),
    "21610": Words(_STOPPED, _OPTED),
    "21612": Words("This sender cannot reach that number.", "Choose another sender for it."),
    "21614": Words("This is not a mobile number.", _NOTHING),
    "21617": Words("The text is longer than the gateway takes.", "Shorten it."),
    "30003": Words(_OFF, _LATER),
    "30004": Words("The carrier or the person blocks this sender.", "Do not send to this number again."),
    "30005": Words(_GONE, _NOTHING),
    "30006": Words("A landline, or a carrier that takes no texts.", _NOTHING),
    "30007": Words(_FILTERED, _TEXT),
    "30008": Words("The carrier failed without a reason.", _LATER),
    "30032": Words("The toll-free number is not verified yet.", _REGISTER),
    "30034": Words("The 10DLC number is not registered with a campaign.", _REGISTER),
}
_INFOBIP = {
    "1": Words(_GONE, _NOTHING),
    "5": Words(_GONE, _NOTHING),
    "6": Words(_OFF, _LATER),
    "27": Words(_OFF, _LATER),
    "31": Words("The phone was busy with other texts.", _LATER),
    "32": Words("The phone did not take the text.", _LATER),
    "33": Words("Too many texts wait for this phone.", _LATER),
    "256": Words("The phone's memory is full.", _LATER),
    "351": Words("The gateway does not accept this number as a phone number.", "Correct the contact's number."),
    "355": Words("The text is longer than the gateway takes.", "Shorten it."),
    "488": Words("The toll-free number is not verified yet.", _REGISTER),
    "561": Words(_FILTERED, _TEXT),
    "573": Words(_STOPPED, _OPTED),
    "603": Words(_STOPPED, _OPTED),
    "607": Words(_FILTERED, _TEXT),
    "2050": Words(_STOPPED, _OPTED),
    "2052": Words(_STOPPED, _OPTED),
    "4098": Words(_EXPIRED, _LATER),
    "4101": Words(_EXPIRED, _LATER),
}
_BY_CODE = {GatewayKind.TWILIO.value: _TWILIO, GatewayKind.INFOBIP.value: _INFOBIP}

_BY_CLASS = {
    ErrorClass.RECIPIENT: Words("This number cannot be reached.", "Nothing to do, unless it repeats."),
    ErrorClass.MESSAGE: Words("The gateway does not take this text.", "Look at the text."),
    ErrorClass.SENDER: Words("The sender may not be used there.", "Check the sender's registration."),
    ErrorClass.BLOCKED: Words(_FILTERED, _TEXT),
    ErrorClass.OPTED_OUT: Words(_STOPPED, _OPTED),
    ErrorClass.AUTH: Words("The gateway refused our credentials.", "Enter them again at the gateway account."),
    ErrorClass.FUNDS: Words("The gateway account has no money left.", "Top it up."),
    ErrorClass.CONFIG: Words("The gateway account is not set up for this.", "Check it with the gateway."),
    ErrorClass.CARRIER: Words("The carrier's network failed.", _LATER),
    ErrorClass.RETRY: Words("The gateway could not take it in several tries.", "Send to these people again later."),
    ErrorClass.THROTTLE: Words("The gateway was told to slow down for too long.", "Lower the sender's rate."),
    ErrorClass.UNREACHABLE: Words("The gateway could not be reached.", "Check its address and the network."),
    ErrorClass.AMBIGUOUS: Words("The gateway's answer got lost.", "See the message's evidence."),
}
_UNKNOWN = Words("The gateway gave no reason we know.", "Look the code up with the gateway.")


def explain(gateway: str, code: str, error_class: str) -> Words:
    """Cause and advice; `gateway` is a `GatewayKind`, `error_class` an `ErrorClass` or ""."""
    return explain_of_any([gateway], code, error_class)


def explain_of_any(gateways: Sequence[str], code: str, error_class: str) -> Words:
    """Where it may come from several: by the first whose own code it is."""
    for gateway in gateways:
        known = _BY_CODE.get(gateway, {}).get(code)
        if known is not None:
            return known
    try:
        return _BY_CLASS.get(ErrorClass(error_class), _UNKNOWN)
    except ValueError:
        return _UNKNOWN
