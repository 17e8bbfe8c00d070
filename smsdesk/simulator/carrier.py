"""The carrier itself: decides the fate of a call, takes messages, hears what handsets say."""

import asyncio
import itertools
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from smsdesk.simulator import faults, parts
from smsdesk.simulator.accounts import Account, AccountBook
from smsdesk.simulator.faults import Fate, Faults
from smsdesk.simulator.journal import Journal
from smsdesk.simulator.messages import Message, Traffic
from smsdesk.simulator.receipts import Receipts

STOP_WORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
START_WORDS = frozenset({"START", "UNSTOP", "YES"})
HELP_WORDS = frozenset({"HELP", "INFO"})
# A handset that answers STOP by itself would answer the confirmation too.
SECONDS_BETWEEN_REPLIES = 60.0


@dataclass(slots=True)
class Taken:
    """What became of one call: `how` it is answered, and per message "" (accepted) or the name of the refusal."""

    how: str
    call: int
    refusals: list[str] = field(default_factory=list)
    early: list[tuple[Message, Fate]] = field(default_factory=list)


class Carrier:
    def __init__(self, *, book: AccountBook, traffic: Traffic, journal: Journal, receipts: Receipts) -> None:
        self.book = book
        self.traffic = traffic
        self.journal = journal
        self.receipts = receipts
        self.faults = Faults()
        self.submits: dict[str, int] = {}
        self.accepted = 0
        self.duplicates = 0
        self.blocked: set[tuple[str, str]] = set()  # (handset, sender) pairs the carrier itself holds as opted out
        self.is_stopping = False
        self._calls = itertools.count(1)
        self._ids = itertools.count(1)
        self._run = secrets.token_hex(8)
        self._last_reply: dict[tuple[str, str], float] = {}

    def new_id(self, prefix: str) -> str:
        """Twilio's shape: two letters and 32 hexadecimal digits, unlike those of any other run."""
        return f"{prefix}{self._run}{next(self._ids):016x}"

    def take(self, messages: list[Message], *, at: float, mono: float) -> Taken:
        """Take one call's messages. `at` and `mono` are the clocks at the request's first byte."""
        call = next(self._calls)
        fates = [self._fate(message, call=call, at=at, mono=mono) for message in messages]
        # A call has one fate: a handset's number decides first, else the draw of the call's first message.
        how = next((fate.how for fate in fates if fate.how in ("throttle", "hang")), fates[0].how)
        if fates[0].how != "answer" and how == "answer":
            how = fates[0].how
        taken = Taken(how=how, call=call)
        if how in ("throttle", "fail_before", "reset_before"):
            return taken
        now, clock = time.time(), time.monotonic()
        for message, fate in zip(messages, fates, strict=True):
            taken.refusals.append(self._take_one(message, fate, taken, now=now, mono=clock))
        return taken

    def _fate(self, message: Message, *, call: int, at: float, mono: float) -> Fate:
        number = self.submits[message.reference] = self.submits.get(message.reference, 0) + 1
        self.journal.seen(message, call=call, number=number, at=at, mono=mono)
        return faults.fate(self.faults, reference=message.reference, number=number, to=message.to)

    def _take_one(self, message: Message, fate: Fate, taken: Taken, *, now: float, mono: float) -> str:
        refusal = fate.refusal or message.note or self._refusal(message)
        if refusal:
            self.journal.note(
                "refused",
                {"call": taken.call, "reference": message.reference, "to": message.to, "why": refusal},
            )
            return refusal
        message.at = now
        if not message.gateway_id:
            message.gateway_id = self.new_id("SM")
        message.encoding, message.parts = parts.count(message.text)
        if fate.nameless and message.dialect == "twilio":  # elsewhere a receipt's own id is the desk's
            message.callback_url = message.callback_url.partition("?")[0]
        self.accepted += 1
        self.traffic.add(message)
        self.journal.accepted(message, call=taken.call, mono=mono)
        if fate.early and self.faults.receipts:
            taken.early.append((message, fate))
        elif self.faults.receipts:
            self.receipts.expect(message, fate, now=mono)
        if fate.replies:
            self._reply(message, fate)
        return ""

    def _refusal(self, message: Message) -> str:
        if message.dialect == "infobip" and (message.account, message.reference) in self.traffic.by_reference:
            self.duplicates += 1
            self.journal.always("duplicate", {"reference": message.reference, "to": message.to})
            return "duplicate"
        return "opted_out" if self.blocked and (message.to, message.sender) in self.blocked else ""

    def _reply(self, message: Message, fate: Fate) -> None:
        account = self.book.named(message.account)
        pair, now = (message.to, message.sender), time.monotonic()
        if account is None or now - self._last_reply.get(pair, -SECONDS_BETWEEN_REPLIES) < SECONDS_BETWEEN_REPLIES:
            return
        self._last_reply[pair] = now
        asyncio.get_running_loop().call_later(
            fate.receipt_delay + 0.5,
            lambda: self.receipts.in_background(
                self.receive(account, handset=message.to, sender=message.sender, text=fate.replies)
            ),
        )

    async def receive(self, account: Account, *, handset: str, sender: str, text: str) -> tuple[int, float]:
        """A text from a handset: kept in its thread, posted to the account. HTTP status (0: none) and seconds."""
        encoding, number_of_parts = parts.count(text)
        message = Message(
            reference="", account=account.name, dialect=account.dialect, to=sender, sender=handset, text=text,
            gateway_id=self.new_id("SM"), encoding=encoding, parts=number_of_parts, at=time.time(),
            is_inbound=True, word="sent",
        )  # fmt: skip
        self.traffic.add(message)
        opt_out_type = self._own_answer(account, message)
        times = 2 if faults.is_posted_twice(self.faults, gateway_id=message.gateway_id) else 1
        return await self.receipts.post_inbound(account, message, opt_out_type=opt_out_type, times=times)

    def _own_answer(self, account: Account, message: Message) -> str:
        """What Twilio itself does on STOP, START and HELP: block or free the pair, reply, tell the desk."""
        if not account.answers_stop:
            return ""
        word, pair = message.text.strip().strip(".!\"'").upper(), (message.sender, message.to)
        if word in STOP_WORDS:
            self.blocked.add(pair)
            self._answer(message, "You have successfully been unsubscribed. Reply START to resubscribe.")
            return "STOP"
        if word in START_WORDS and (word == "START" or pair in self.blocked):
            self.blocked.discard(pair)
            self._answer(message, "You have successfully been re-subscribed. Reply STOP to unsubscribe.")
            return "START"
        if word in HELP_WORDS:
            self._answer(message, "Reply STOP to unsubscribe. Msg & data rates may apply.")
            return "HELP"
        return ""

    def _answer(self, message: Message, text: str) -> None:
        reply = Message(
            reference="", account=message.account, dialect=message.dialect, to=message.sender, sender=message.to,
            text=text, gateway_id=self.new_id("SM"), at=time.time(), word="delivered", note="by the carrier",
        )  # fmt: skip
        self.traffic.add(reply)
        self.journal.note("carrier_reply", {"to": reply.to, "from": reply.sender, "body": reply.text})

    def forget_blocks(self, handsets: Iterable[str] = ()) -> None:
        """Free these handsets, or all, from what the carrier holds as opted out."""
        chosen = set(handsets)
        self.blocked = {pair for pair in self.blocked if chosen and pair[0] not in chosen}
