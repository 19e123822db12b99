"""Wishes for a run from other processes: one file each, put there whole, taken by the run's owner in order."""

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

MAX_REQUEST_BYTES = 1 << 20  # of a request; nothing that dagrun puts comes near it
_UNSURE = 2_000_000_000  # nanoseconds for which a directory's time does not tell two changes apart for sure


class Inbox:
    """The directory of one run's requests. Anybody may put, only the owner takes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._seen = 0

    def put(self, request: Request) -> None:
        """Leave a request; it survives a crash of either side. Raises RecordError when it cannot be written."""
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
        """Every request that has come, oldest first; each file is removed once its request has been dealt with.

        Costs one `stat` when nothing has come. Files that are no requests are left alone.
        """
        try:
            changed = self.directory.stat().st_mtime_ns
        except OSError:
            return
        if changed == self._seen:
            return
        # Remembered before looking: what comes while we look changes it again; but a file system's clock ticks
        # slowly, so for a while after a change it is looked at every time.
        self._seen = changed if time.time_ns() - changed > _UNSURE else 0
        for path in sorted(self.directory.glob("[0-9]*.json")):
            request = _read(path)
            if request is not None:
                yield request
                with contextlib.suppress(OSError):
                    path.unlink()


def _read(path: Path) -> Request | None:
    """The request in a file; None when it is a foreign file, which may be anything: a pipe, a directory, a novel."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_REQUEST_BYTES:
            return None
        data = json.loads(path.read_bytes())
        request = Request(str(data["what"]), str(data["by"]), dict(data["facts"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return request if request.kind in REQUESTS else None
