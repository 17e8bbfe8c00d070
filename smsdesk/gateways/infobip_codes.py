"""Infobip's statuses and errors in our words: `infobip_codes.csv`, after Infobip's published tables.

In a receipt the status gives the ledger state. In the answer to a submit the class decides: `SUBMIT_CLASSES`.
"""

import csv
from functools import cache
from pathlib import Path
from typing import get_args

from smsdesk.gateways import contract
from smsdesk.gateways.errors import ErrorClass

TABLE = Path(__file__).with_name("infobip_codes.csv")

# A status in one of these groups means: taken.
TAKEN_GROUPS = frozenset({"OK", "ACCEPTED", "PENDING", "DELIVERED"})
REFUSED_GROUPS = frozenset({"REJECTED", "UNDELIVERABLE", "EXPIRED"})

# Status id of a refusal → class, and whether the fault stays (None: not known).
SUBMIT_CLASSES: dict[int, tuple[ErrorClass, bool | None]] = {
    6: (ErrorClass.SENDER, None),
    11: (ErrorClass.SENDER, None),
    13: (ErrorClass.SENDER, None),
    19: (ErrorClass.SENDER, None),
    18: (ErrorClass.SENDER, None),  # trial account, this destination is not registered: not the whole account
    8: (ErrorClass.RECIPIENT, True),
    51: (ErrorClass.RECIPIENT, True),
    52: (ErrorClass.RECIPIENT, True),
    10: (ErrorClass.OPTED_OUT, None),
    14: (ErrorClass.OPTED_OUT, None),
    12: (ErrorClass.FUNDS, None),
    17: (ErrorClass.FUNDS, None),
    20: (ErrorClass.BLOCKED, None),
    87: (ErrorClass.BLOCKED, None),
    21: (ErrorClass.RETRY, None),
    100: (ErrorClass.RETRY, None),
    24: (ErrorClass.MESSAGE, None),
    25: (ErrorClass.MESSAGE, None),
    # Already submitted under this id. Not a refusal of ours: the first one is looked up.
    23: (ErrorClass.AMBIGUOUS, None),
}


def state(status_id: int | None, *, group: str) -> contract.State:
    """The ledger state of a status; "" where the table is silent."""
    if status_id is None:
        return ""
    return _states().get((status_id, group), "")


def error_class(error_id: int | None, *, group: str) -> ErrorClass | None:
    """The class of an error. Where the group is one we do not know, the number alone has to be unambiguous."""
    if not error_id:
        return None
    exact, by_number = _errors()
    return exact[error_id, group] if (error_id, group) in exact else by_number.get(error_id)


@cache
def _rows() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


@cache
def _states() -> dict[tuple[int, str], contract.State]:
    known = {str(state): state for state in get_args(contract.State)}
    return {(int(row["code"]), row["group"]): known[row["our_class"]] for row in _rows() if row["kind"] == "status"}


@cache
def _errors() -> tuple[dict[tuple[int, str], ErrorClass | None], dict[int, ErrorClass | None]]:
    exact: dict[tuple[int, str], ErrorClass | None] = {}
    by_number: dict[int, ErrorClass | None] = {}
    for row in _rows():
        if row["kind"] == "error":
            found = ErrorClass[row["our_class"]] if row["our_class"] else None
            number = int(row["code"])
            exact[number, row["group"]] = found
            by_number[number] = found if by_number.get(number, found) == found else None
    return exact, by_number
