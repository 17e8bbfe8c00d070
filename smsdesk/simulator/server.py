"""Runs the carrier: one port, its background work, and a clean end within two seconds."""

import asyncio
import gc
import ipaddress
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

from aiohttp import web

from smsdesk.simulator import pages
from smsdesk.simulator.accounts import BadAccounts
from smsdesk.simulator.carrier import Carrier
from smsdesk.simulator.front_door import FrontDoor
from smsdesk.simulator.journal import Journal
from smsdesk.simulator.messages import Traffic
from smsdesk.simulator.options import Options
from smsdesk.simulator.postman import Postman
from smsdesk.simulator.receipts import Receipts

FLUSH = 0.05  # seconds between writes of the journal
REREAD = 0.5  # seconds between looks at the accounts file


class CannotStart(Exception):
    """The simulator cannot begin; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Running:
    url: str
    carrier: Carrier


@asynccontextmanager
async def running(options: Options) -> AsyncIterator[Running]:
    """The simulator, listening. Raises CannotStart or BadAccounts."""
    carrier = _carrier(options)
    runner = web.AppRunner(
        pages.application(carrier, is_loopback=_is_loopback(options.host)), access_log=None, shutdown_timeout=0.5
    )
    await runner.setup()
    doors: set[FrontDoor] = set()
    other = runner.server
    assert other is not None
    loop = asyncio.get_running_loop()
    try:
        listening = await loop.create_server(
            lambda: FrontDoor(carrier, other=other, open_doors=doors), options.host, options.port, backlog=1024
        )
    except OSError as error:
        await runner.cleanup()
        reason = error.strerror or str(error)
        raise CannotStart(f"{options.host}:{options.port}: {reason}. Choose another with --port.") from error
    port = listening.sockets[0].getsockname()[1]
    carrier.receipts.postman.open()
    work = [
        loop.create_task(task)
        for task in (
            carrier.receipts.run(), carrier.receipts.postman.run(), _flush(carrier.journal), _reread(carrier),
        )
    ]  # fmt: skip
    for task in work:
        task.add_done_callback(_complain)
    carrier.journal.note("start", {"port": port, "faults": asdict(carrier.faults)})
    try:
        yield Running(url=f"http://{options.host}:{port}", carrier=carrier)
    finally:
        listening.close()
        await _end(carrier, work=work, doors=doors, runner=runner)


def _complain(task: asyncio.Task[None]) -> None:
    # None of these ever returns: without one of them the carrier would lie.
    if not task.cancelled():
        error = task.exception()
        task.get_loop().call_exception_handler(
            {"message": f"simulator: {task.get_coro()} ended", "exception": error}
        )


async def _end(
    carrier: Carrier, *, work: list[asyncio.Task[None]], doors: set[FrontDoor], runner: web.AppRunner
) -> None:
    for door in list(doors):
        door.close()
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    await carrier.receipts.end()
    await carrier.receipts.postman.close()
    await runner.cleanup()
    carrier.journal.always("stop", {"accepted": carrier.accepted, "receipts_unsent": carrier.receipts.waiting})
    carrier.journal.close()


def _carrier(options: Options) -> Carrier:
    book = options.book()
    try:
        journal = Journal(options.log, level=options.log_level)
    except OSError as error:
        raise CannotStart(f"--log {options.log}: {error.strerror}. Name a file in a folder that exists.") from error
    traffic = Traffic(keep=options.keep)
    receipts = Receipts(book=book, traffic=traffic, postman=Postman(journal=journal, traffic=traffic))
    carrier = Carrier(book=book, traffic=traffic, journal=journal, receipts=receipts)
    carrier.faults = options.faults
    return carrier


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _flush(journal: Journal) -> None:
    while True:
        await asyncio.sleep(FLUSH)
        journal.flush()


async def _reread(carrier: Carrier) -> None:
    while True:
        await asyncio.sleep(REREAD)
        try:
            carrier.book.refresh()
        except BadAccounts as error:
            print(f"simulator: {error} The accounts read before stay in use.", file=sys.stderr, flush=True)


async def _serve(options: Options) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running(options) as simulator:
        print(f"simulator {simulator.url}/", flush=True)
        await stop.wait()


def run(options: Options) -> None:
    """Serve until SIGINT or SIGTERM. Raises CannotStart or BadAccounts."""
    # Held messages are many and never garbage: look for cycles rarely.
    gc.set_threshold(50_000, 50, 50)
    try:
        import uvloop  # not built on Windows
    except ImportError:
        asyncio.run(_serve(options))
    else:
        uvloop.run(_serve(options))
