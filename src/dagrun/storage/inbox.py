"""Requests to the owner of a run from other processes: one file each, complete from the start, taken in order."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from dagrun.core.requests import REQUESTS, Request
from dagrun.storage.disk import sync_directory, unwritable

MAX_REQUEST_BYTES = 1 << 20  # far more than dagrun ever writes
_UNSURE = 2_000_000_000  # nanoseconds within which two changes may give a directory the same time


class Inbox:
    """The directory of one run's requests. Any process may put one, only the owner takes them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._seen = 0

    def put(self, request: Request) -> None:
        """Leave a request; it survives a crash of either side. Raises RecordError."""
        name = f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(3)}.json"
        data = json.dumps({"what": request.kind, "by": request.by, "facts": dict(request.data)}).encode()
        try:
            self.directory.mkdir(exist_ok=True)
            fresh = self.directory / f".{name}"
            with fresh.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.directory / name)
            sync_directory(self.directory)
        except OSError as error:
            raise unwritable(error.filename or self.directory, error) from error

    def take(self) -> Iterator[Request]:
        """Every pending request, oldest first; each file is deleted when the next request is asked for.

        Costs one `stat` if there are none. Files that are no requests are ignored.
        """
        try:
            changed = self.directory.stat().st_mtime_ns
        except OSError:
            return
        if changed == self._seen:
            return
        # Stored before reading: a request that arrives meanwhile changes the time again. But a file system's clock is
        # coarse, so for a while after a change the directory is read every time.
        self._seen = changed if time.time_ns() - changed > _UNSURE else 0
        for path in sorted(self.directory.glob("[0-9]*.json")):
            request = _read(path)
            if request is not None:
                yield request
                with contextlib.suppress(OSError):
                    path.unlink()


def _read(path: Path) -> Request | None:
    """The request in a file; None if it is something else: a pipe, a directory, a large file."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_REQUEST_BYTES:
            return None
        data = json.loads(path.read_bytes())
        request = Request(str(data["what"]), str(data["by"]), dict(data["facts"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return request if request.kind in REQUESTS else None
