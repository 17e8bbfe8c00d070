"""A small TCP proxy in a process of its own: `python -m tests.chaos.proxy --listen PORT --to PORT[,PORT…]`.

New connections go to the targets in turn, past one that refuses. Commands come as lines on its input:
`cut` ends every connection, `cut one` any one, `hold 0.5` lets nothing through for so long, `commit` ends the next
connection that sends COMMIT after the COMMIT has gone on, so that nobody hears what became of it, `reset` the next
one that sends anything. For so many seconds: `refuse 0.5` nobody can connect, `swallow 0.5` what is sent arrives
nowhere and is never answered, `slow 0.5 200` each piece is 200 ms late, `dribble 0.5` answers come byte by byte.
"""

import argparse
import asyncio
import itertools
import os
import sys
import time
from collections import deque

import uvloop

BYTE = 0.04  # seconds between two of an answer that dribbles


class Link:
    """One client and its server."""

    def __init__(self, front: "Front", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.front, self.reader, self.writer = front, reader, writer
        self.server: asyncio.StreamWriter | None = None
        self.is_swallowed = False

    async def run(self) -> None:
        target = await self.front.connect()
        if target is None:
            self.writer.transport.abort()
            return
        server_reader, self.server = target
        self.front.links.append(self)
        try:
            await asyncio.gather(self._to_server(self.server), self._to_client(server_reader))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.cut()
            self.front.links.remove(self)

    async def _to_server(self, server: asyncio.StreamWriter) -> None:
        while data := await self.reader.read(65_536):
            await self.front.passable()
            self.is_swallowed = self.is_swallowed or self.front.is_now("swallow")
            if self.is_swallowed:  # for good: no network loses the middle of a stream
                continue
            server.write(data)
            await server.drain()
            if self.front.cuts_after(data):
                await asyncio.sleep(0.005)  # it has gone on
                self.cut()
        server.transport.abort() if server.is_closing() else server.close()

    async def _to_client(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(65_536):
            await self.front.passable()
            for piece in self.front.pieces(data):
                self.writer.write(piece)
                await self.writer.drain()
                if len(piece) < len(data):
                    await asyncio.sleep(BYTE)
        self.writer.close()

    def cut(self) -> None:
        self.writer.transport.abort()
        if self.server is not None:
            self.server.transport.abort()


class Front:
    def __init__(self, targets: list[int]) -> None:
        self.targets = targets
        self.turn = itertools.count()
        self.links: deque[Link] = deque()
        self.open = asyncio.Event()
        self.open.set()
        self.needles: deque[bytes] = deque()
        self.until: dict[str, float] = {}
        self.lateness = 0.0

    def is_now(self, what: str) -> bool:
        return time.monotonic() < self.until.get(what, 0.0)

    async def passable(self) -> None:
        await self.open.wait()
        if self.is_now("slow"):
            await asyncio.sleep(self.lateness)

    def cuts_after(self, data: bytes) -> bool:
        if self.needles and self.needles[0] in data:
            self.needles.popleft()
            return True
        return False

    def pieces(self, data: bytes) -> list[bytes]:
        if not self.is_now("dribble"):
            return [data]
        return [data[at : at + 1] for at in range(len(data))]

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        first = next(self.turn)
        for step in range(len(self.targets)):
            port = self.targets[(first + step) % len(self.targets)]
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
        return None

    async def listen(self, port: int) -> None:
        self.listening = await asyncio.start_server(self.serve, "127.0.0.1", port, backlog=256)

    async def refuse(self, port: int, seconds: float) -> None:
        self.listening.close()
        await asyncio.sleep(seconds)
        await self.listen(port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Link(self, reader, writer).run()

    async def obey(self, line: str, *, port: int) -> None:
        word, _, rest = line.partition(" ")
        if word == "cut":
            chosen = list(self.links)[:1] if rest == "one" else list(self.links)
            self.links.rotate(-1)
            for link in chosen:
                link.cut()
        elif word == "hold":
            self.open.clear()
            asyncio.get_running_loop().call_later(float(rest), self.open.set)
        elif word in ("commit", "reset"):
            self.needles.append(b"COMMIT" if word == "commit" else b"")
        elif word == "refuse":
            await self.refuse(port, float(rest))
        elif word in ("swallow", "slow", "dribble"):
            seconds, _, milliseconds = rest.partition(" ")
            self.until[word] = time.monotonic() + float(seconds)
            self.lateness = float(milliseconds or 0) / 1000


async def main(listen: int, targets: list[int]) -> None:
    front = Front(targets)
    await front.listen(listen)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print("ready", flush=True)
    while line := await lines.readline():
        await front.obey(line.decode().strip(), port=listen)
    os._exit(0)  # whoever started us has gone


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", type=int, required=True)
    parser.add_argument("--to", required=True)
    given = parser.parse_args()
    uvloop.run(main(given.listen, [int(port) for port in given.to.split(",")]))
