import json
import os
from pathlib import Path

import pytest

from tests import world
from tests.flows.company import Company


def _company(folder: Path, *, people: int, rate: float, time_scale: float, carrier: tuple[str, ...]):
    desk = world.World(folder, database_url=os.environ.get("DATABASE_URL", ""), time_scale=time_scale)
    try:
        desk.migrate()
        seeded = desk.python(
            "tests.flows.seed", json.dumps({"people": people, "rate": rate, "carrier": desk.simulator_url})
        )
        company = Company(desk, key=seeded["key"], senders=seeded["senders"])
        company.open_accounts()
        desk.simulator(*carrier)
        desk.web()
        company.cluster = desk.cluster()
        yield company
    finally:
        desk.close()


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """A desk at work with 60 customers; stories of a module share it."""
    folder = tmp_path_factory.mktemp("desk")
    yield from _company(folder, people=60, rate=100.0, time_scale=1.0, carrier=("--receipt-delay", "200"))


@pytest.fixture
def busy_company(tmp_path_factory):
    """200 customers, a slow carrier, and all times of the send protocol a tenth as long."""
    folder = tmp_path_factory.mktemp("busy")
    options = ("--receipt-delay", "200", "--latency", "60", "--no-receipts")
    yield from _company(folder, people=200, rate=20.0, time_scale=0.1, carrier=options)
