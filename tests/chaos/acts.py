"""The journal of what the driver and the killer did, on disk before each act; and the driver's HTTP client."""

import http.client
import json
import os
import threading
import time
from pathlib import Path
from typing import Any


class Journal:
    """JSON lines, each synced before `write` returns: a crash of the harness loses nothing it has begun."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._lock = threading.Lock()

    def write(self, act: str, **fields: Any) -> None:
        line = json.dumps({"act": act, "t": time.time(), **fields}) + "\n"
        with self._lock:
            os.write(self._file, line.encode())
            os.fdatasync(self._file)


def read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


def call(
    port: int,
    method: str,
    path: str,
    body: Any = None,
    *,
    headers: dict[str, str] | None = None,
    seconds: float = 6.0,
) -> tuple[int, Any]:
    """Status and JSON of one request on a connection of its own; status 0: no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    payload = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    try:
        connection.request(
            method, path, payload, {"Content-Type": "application/json", "Connection": "close", **(headers or {})}
        )
        answer = connection.getresponse()
        text = answer.read()
        try:
            return answer.status, json.loads(text) if text else None
        except ValueError:
            return answer.status, None
    except (OSError, http.client.HTTPException):
        return 0, None
    finally:
        connection.close()
