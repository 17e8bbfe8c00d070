"""Posting one text to the carrier, Twilio's way, with the library most people take. One session per thread."""

import os
import threading

import requests

from tests.world import CREDENTIALS

SENDER = "+12025550100"
_SID, _TOKEN = CREDENTIALS["twilio"]["account_sid"], CREDENTIALS["twilio"]["auth_token"]
_here = threading.local()


def session() -> requests.Session:
    """This thread's, kept open: a session a call would be slower."""
    if not hasattr(_here, "session"):
        _here.session = requests.Session()
        _here.session.auth = (_SID, _TOKEN)
        _here.session.trust_env = False  # else each call looks for proxies and a .netrc
    made: requests.Session = _here.session
    return made


def post(phone: str, body: str, *, reference: str) -> str:
    """The carrier's id of the text; raises where it was not taken."""
    answer = session().post(
        f"{os.environ['SIMULATOR_URL']}/2010-04-01/Accounts/{_SID}/Messages.json",
        data={
            "To": phone,
            "From": SENDER,
            "Body": body,
            "StatusCallback": f"{os.environ['PUBLIC_URL']}/receipts/?m={reference}",
        },
        timeout=10,
    )
    answer.raise_for_status()
    return str(answer.json()["sid"])
