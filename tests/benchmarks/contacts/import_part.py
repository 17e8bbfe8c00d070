"""The import: a file with phones, names, cities and a claim of marketing consent, into a list."""

import subprocess
import sys

from tests import world
from tests.benchmarks.contacts import people_file


def measure(desk: world.World, rows: int) -> dict[str, object]:
    """Seconds are those of the import itself; the upload before it and the raw limit behind it stand apart."""
    path = desk.folder / "people.csv"
    people_file.write(path, rows=rows)
    uploaded = desk.python("tests.benchmarks.contacts.import_upload", str(path))
    other = _other_writer(desk)
    try:
        figures = desk.python("tests.benchmarks.contacts.import_work", str(uploaded["id"]))
    finally:
        waited, _ = other.communicate(b"")
    raw = desk.python("tests.benchmarks.contacts.import_raw")
    path.unlink()
    return {
        **figures,
        "upload_seconds": uploaded["seconds"],
        "upload_peak_mb": uploaded["peak_mb"],
        "longest_wait_of_a_stop": float(waited),
        "raw": raw["what"],
        "raw_rows_per_second": round(rows / raw["seconds"]),
        "raw_cpu_seconds": raw["cpu_seconds"],
        "ratio": round(raw["seconds"] / figures["seconds"], 3),
        # Of processor time, which says more where others use the machine, too.
        "cpu_ratio": round(raw["cpu_seconds"] / (figures["cpu_seconds"] + figures["database_cpu_seconds"]), 3),
    }


def _other_writer(desk: world.World) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.contacts.import_rival"],
        env=desk.environment,
        cwd=world.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
