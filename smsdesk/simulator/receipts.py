"""When which receipt is due, and the posts that carry receipts and inbound texts to the desk."""

import asyncio
import heapq
import itertools
import time
from collections import defaultdict
from collections.abc import Coroutine
from typing import Any

from smsdesk.simulator import infobip, twilio
from smsdesk.simulator.accounts import Account, AccountBook
from smsdesk.simulator.faults import Fate
from smsdesk.simulator.messages import FINAL_WORDS, Message, Traffic
from smsdesk.simulator.postman import Post, Postman

TICK = 0.02  # seconds between looks at what is due
PER_CALL = 100  # Infobip puts up to this many receipts into one call
REORDERED_GAP = 0.4  # seconds between the final word and the late "sent"


class Receipts:
    def __init__(self, *, book: AccountBook, traffic: Traffic, postman: Postman) -> None:
        self.book = book
        self.traffic = traffic
        self.postman = postman
        self._due: list[tuple[float, int, Message, str]] = []
        self._order = itertools.count()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def waiting(self) -> int:
        return len(self._due)

    def in_background(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def expect(self, message: Message, fate: Fate, *, now: float) -> None:
        """Plan the receipts of an accepted message; `now` is the monotonic clock."""
        if not fate.final:
            return
        final_at = now + fate.receipt_delay
        sent_at = final_at + REORDERED_GAP if fate.reordered else now + fate.receipt_delay * 0.3
        if message.wants_intermediate or fate.reordered:
            self._plan(sent_at, message, "sent")
        self._plan(final_at, message, fate.final)
        if fate.duplicate:
            self._plan(final_at + REORDERED_GAP, message, fate.final)

    def _plan(self, at: float, message: Message, word: str) -> None:
        heapq.heappush(self._due, (at, next(self._order), message, word))

    async def run(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self._send_due(time.monotonic())

    def _send_due(self, now: float) -> None:
        together: dict[tuple[str, str], list[tuple[Message, str]]] = defaultdict(list)
        while self._due and self._due[0][0] <= now:
            _, _, message, word = heapq.heappop(self._due)
            self._advance(message, word)
            if not message.callback_url:
                continue
            if message.dialect == "infobip":
                together[message.account, message.callback_url].append((message, word))
            else:
                self.postman.send(self._post([(message, word)]))
        for rows in together.values():
            for start in range(0, len(rows), PER_CALL):
                self.postman.send(self._post(rows[start : start + PER_CALL]))

    def _advance(self, message: Message, word: str) -> None:
        if word in FINAL_WORDS:
            message.done_at = message.done_at or time.time()
        if message.word not in FINAL_WORDS:
            message.word = word
        self.traffic.changed(message)

    async def now(self, message: Message, word: str) -> tuple[int, float]:
        """Send this receipt at once, whatever was planned. HTTP status (0: none) and seconds."""
        if word in FINAL_WORDS:
            message.word, message.done_at = word, time.time()
        self._advance(message, word)
        return await self.postman.deliver(self._post([(message, word)]))

    async def early(self, rows: list[tuple[Message, Fate]]) -> None:
        """Receipts that overtake the answer to the submit: sent, and answered, before it is written."""
        finals = [(message, fate.final) for message, fate in rows if fate.final and message.callback_url]
        for message, word in finals:
            self._advance(message, word)
        for message, fate in rows:
            if fate.duplicate:
                self._plan(time.monotonic() + fate.receipt_delay, message, fate.final)
        by_url: dict[str, list[tuple[Message, str]]] = defaultdict(list)
        for message, word in finals:
            key = message.callback_url if message.dialect == "infobip" else message.gateway_id
            by_url[key].append((message, word))
        await asyncio.gather(*(self.postman.deliver(self._post(group)) for group in by_url.values()))

    def _post(self, rows: list[tuple[Message, str]]) -> Post:
        message, word = rows[0]
        account = self.book.named(message.account)
        if message.dialect == "infobip":
            body, headers = infobip.receipts_body(rows), infobip.hook_headers(account)
        else:
            body, headers = twilio.receipt_body(message, word, account), twilio.HOOK_HEADERS
            headers = twilio.signed(headers, url=message.callback_url, body=body, account=account)
        return Post(url=message.callback_url, body=body, headers=headers, kind="receipt", rows=tuple(rows))

    async def post_inbound(
        self, account: Account, message: Message, *, opt_out_type: str, times: int
    ) -> tuple[int, float]:
        """HTTP status and seconds of the first of so many calls at once."""
        if not account.inbound_url:
            return 0, 0.0
        if account.dialect == "infobip":
            body, headers = infobip.inbound_body(message), infobip.hook_headers(account)
        else:
            body = twilio.inbound_body(message, account, opt_out_type=opt_out_type)
            headers = twilio.signed(twilio.HOOK_HEADERS, url=account.inbound_url, body=body, account=account)
        rows = ((message, "received"),)
        posts = [
            Post(url=account.inbound_url, body=body, headers=headers, kind="inbound", rows=rows)
            for _ in range(times)
        ]
        return (await asyncio.gather(*(self.postman.deliver(post) for post in posts)))[0]
