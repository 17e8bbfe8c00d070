"""Python's wall clock is wrong from the start in whatever finds this on its path; its other clocks are right.

By `SMSDESK_CHAOS_CLOCK` seconds. All of the desk reads the time through Python. (libfaketime was tried: with it no
Python 3.11 wakes from a wait for a lock.)
"""

import os
from datetime import UTC, datetime, timedelta

import time_machine

_ahead = timedelta(seconds=int(os.environ["SMSDESK_CHAOS_CLOCK"]))
time_machine.travel(datetime.now(UTC) + _ahead, tick=True).start()
