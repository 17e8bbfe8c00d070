"""Posts webhooks to the desk over one keep-alive client and repeats what was not taken."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from smsdesk.simulator.journal import Journal
from smsdesk.simulator.messages import Message, Traffic

CALLS_AT_ONCE = 32
TRIES = 10
FIRST_PAUSE = 1.0  # seconds; doubled with each try
WHOLE_CALL = 15.0  # seconds, as providers wait; a STOP may take 8


@dataclass(slots=True)
class Post:
    """One webhook call. `rows` are its messages with the word told of each."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    kind: str
    rows: tuple[tuple[Message, str], ...]
    tries: int = 0


class Postman:
    def __init__(self, *, journal: Journal, traffic: Traffic, first_pause: float = FIRST_PAUSE) -> None:
        self.journal = journal
        self.traffic = traffic
        self.first_pause = first_pause
        self.counts: Counter[str] = Counter()
        self._queue: asyncio.Queue[Post] = asyncio.Queue()
        self._http: aiohttp.ClientSession | None = None

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    def open(self) -> None:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=WHOLE_CALL, connect=3),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    def send(self, post: Post) -> None:
        self._queue.put_nowait(post)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as workers:
            for _ in range(CALLS_AT_ONCE):
                workers.create_task(self._work())

    async def _work(self) -> None:
        while True:
            await self.deliver(await self._queue.get())

    async def deliver(self, post: Post) -> tuple[int, float]:
        """Post once; what failed comes again later by itself. HTTP status (0: no answer) and seconds."""
        post.tries += 1
        started, mono = time.time(), time.monotonic()
        status = await self._call(post)
        seconds = time.monotonic() - mono
        self._record(post, status=status, started=started, seconds=seconds)
        if status == 0 or status >= 500 or status == 429:
            self._repeat_later(post)
        return status, seconds

    async def _call(self, post: Post) -> int:
        if self._http is None:
            return 0
        try:
            async with self._http.post(
                post.url, data=post.body, headers=post.headers, allow_redirects=False
            ) as answer:
                status = answer.status
                await answer.content.read(65_536)
                return status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return 0

    def _repeat_later(self, post: Post) -> None:
        if post.tries >= TRIES:
            self.counts[f"{post.kind}s_given_up"] += 1
            return
        self.counts[f"{post.kind}s_repeated"] += 1
        pause = self.first_pause * 2 ** (post.tries - 1)
        asyncio.get_running_loop().call_later(pause, self._queue.put_nowait, post)

    def _record(self, post: Post, *, status: int, started: float, seconds: float) -> None:
        taken = 200 <= status < 300
        self.counts[f"{post.kind}_calls"] += 1
        if taken:
            self.counts[f"{post.kind}s_taken"] += len(post.rows)
        answered_at = started + seconds
        for message, word in post.rows:
            message.receipts_answered += taken
            if message.is_inbound:
                message.word = "delivered" if taken else "undelivered"
                self.traffic.changed(message)
            self.journal.note(post.kind, self._line(post, message, word, status, started, answered_at))
        message, word = post.rows[0]
        more = f" and {len(post.rows) - 1} more" if len(post.rows) > 1 else ""
        said = f"“{message.text[:40]}” from {message.sender}" if message.is_inbound else f"{word} · {message.to}"
        self.traffic.happened(post.kind, said + more, status=str(status or "no answer"), at=answered_at)

    def _line(
        self, post: Post, message: Message, word: str, status: int, started: float, answered_at: float
    ) -> dict[str, object]:
        line: dict[str, object] = {
            "dialect": message.dialect, "gateway_id": message.gateway_id, "status": status, "try": post.tries,
            "started": round(started, 6), "answered": round(answered_at, 6),
        }  # fmt: skip
        if message.is_inbound:
            taken_at = round(answered_at, 6) if 200 <= status < 300 else None
            return line | {"from": message.sender, "to": message.to, "body": message.text, "taken_at": taken_at}
        return line | {"reference": message.reference, "to": message.to, "word": word}
