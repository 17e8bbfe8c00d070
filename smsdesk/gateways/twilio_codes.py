"""Twilio's error codes in our classes, and where they change what a status word means.

Source: Twilio's error dictionary. The second value: whether the fault stays (None: not known).
"""

from smsdesk.gateways import contract
from smsdesk.gateways.errors import ErrorClass

CLASSES: dict[str, tuple[ErrorClass, bool | None]] = {
    "20003": (ErrorClass.AUTH, None),
    "20005": (ErrorClass.AUTH, None),  # account not active
    "20008": (ErrorClass.AUTH, None),  # test credentials
    "20404": (ErrorClass.CONFIG, None),
    "21603": (ErrorClass.CONFIG, None),  # no From
    "21609": (ErrorClass.CONFIG, None),  # bad StatusCallback
    "21616": (ErrorClass.CONFIG, None),
    "30002": (ErrorClass.CONFIG, None),  # account suspended
    # About the set-up too, but of this destination only: they stop the message, not the account.
    "21408": (ErrorClass.SENDER, None),  # country not enabled
    "21606": (ErrorClass.SENDER, None),  # From cannot message this destination
    "21612": (ErrorClass.SENDER, None),  # no route between To and From
    "21212": (ErrorClass.SENDER, None),
    "30018": (ErrorClass.SENDER, None),  # sender id not registered
    "30024": (ErrorClass.SENDER, None),
    "30032": (ErrorClass.SENDER, None),  # toll-free not verified
    "30034": (ErrorClass.SENDER, None),  # 10DLC number not registered
    "20429": (ErrorClass.THROTTLE, None),
    "14107": (ErrorClass.THROTTLE, None),
    "21611": (ErrorClass.THROTTLE, None),  # the sender's queue is full
    "30001": (ErrorClass.THROTTLE, None),  # queue overflow
    "30022": (ErrorClass.THROTTLE, None),
    "30023": (ErrorClass.THROTTLE, None),
    "30027": (ErrorClass.THROTTLE, None),  # 10DLC daily cap
    "20500": (ErrorClass.AMBIGUOUS, None),
    "20503": (ErrorClass.AMBIGUOUS, None),
    "30008": (ErrorClass.CARRIER, None),
    "30017": (ErrorClass.CARRIER, None),
    "30410": (ErrorClass.CARRIER, None),
    "21211": (ErrorClass.RECIPIENT, True),
    "21214": (ErrorClass.RECIPIENT, True),
    "21217": (ErrorClass.RECIPIENT, True),
    "21614": (ErrorClass.RECIPIENT, True),  # not a mobile number
    "21608": (ErrorClass.RECIPIENT, False),  # trial account, number not verified
    "30003": (ErrorClass.RECIPIENT, False),  # handset unreachable
    "30005": (ErrorClass.RECIPIENT, True),  # unknown handset
    "30006": (ErrorClass.RECIPIENT, None),  # landline or unreachable carrier
    "21610": (ErrorClass.OPTED_OUT, None),
    "30004": (ErrorClass.BLOCKED, None),
    "30007": (ErrorClass.BLOCKED, None),  # filtered
    "21602": (ErrorClass.MESSAGE, None),  # empty
    "21605": (ErrorClass.MESSAGE, None),
    "21617": (ErrorClass.MESSAGE, None),  # longer than 1600
    "21618": (ErrorClass.MESSAGE, None),
}

# A queue or the validity period ran out.
EXPIRED = frozenset({"30001", "30036"})


def state(state: contract.State, *, code: str) -> contract.State:
    """The ledger state of a status word once its code is known: who failed, Twilio or the carrier."""
    if state not in ("rejected", "undelivered"):
        return state
    kind = CLASSES.get(code, (None, None))[0]
    if kind == ErrorClass.OPTED_OUT:
        return "rejected"
    if code in EXPIRED:
        return "expired"
    if kind in (ErrorClass.RECIPIENT, ErrorClass.CARRIER):
        return "undelivered"
    return state
