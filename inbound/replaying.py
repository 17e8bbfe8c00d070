"""What was kept on disk while the database was away goes into it as soon as it is back.

The web process that kept something tries every two seconds; what it leaves behind, the next one on its host finds
when it begins.
"""

import threading
import time

import structlog
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, connection

from campaigns import receipts
from campaigns.models import GatewayAccount
from inbound import receiving
from smsdesk import spool
from smsdesk.errors import DomainError

log = structlog.get_logger(__name__)

# Of any kind: PostgreSQL says "internal error" where it has ended a transaction that stood idle too long.
AWAY = (DatabaseError, InterfaceError)
_NEVER = (DataError, IntegrityError, DomainError, ValueError, TypeError, LookupError)
PAUSE = 2.0  # seconds
_one = threading.Lock()


class NotOurs(ValueError):
    """There is no such account any more."""


def replay() -> int:
    """All that waits on this host; raises one of `AWAY` while the database still is. How many entries went in."""
    if spool.is_empty():
        return 0
    taken = spool.replay(_store, given_up=_NEVER)
    log.info("spool_replayed", entries=taken)
    return taken


def begin() -> None:
    """Where something waits: try until nothing does, beside whatever this process does."""
    if not spool.is_empty() and _one.acquire(blocking=False):
        threading.Thread(target=_until_empty, name="spool", daemon=True).start()


def _until_empty() -> None:
    try:
        while not spool.is_empty():
            time.sleep(PAUSE)
            try:
                replay()
            except (*AWAY, OSError) as trouble:
                log.warning("spool_waits", trouble=type(trouble).__name__)
                connection.close()
            except Exception:
                # A fault of ours; whoever keeps something later must still find somebody who tries.
                log.exception("replay_failed")
                connection.close()
    finally:
        connection.close()
        _one.release()
        begin()  # what was kept since the last look found the turn taken


def _store(kept: spool.Kept) -> None:
    account = GatewayAccount.objects.filter(public_id=kept.account).first()
    if account is None:
        raise NotOurs("unknown account")
    if kept.events.receipts:
        receipts.record(account, kept.events.receipts, now=kept.at)
    if kept.events.inbound:
        receiving.receive_all(account, kept.events.inbound, now=kept.at)
