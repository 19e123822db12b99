"""The schedules that a directory held when a scheduler last read it: those that are missing now were removed meanwhile."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Set
from pathlib import Path

from dagrun.blobs import read_regular
from dagrun.storage.disk import unwritable


class KnownSchedules:
    """The ids of one directory's schedules, in a file beside their claims: `.served/<hash of the directory>.json`."""

    def __init__(self, directory: Path, home: str) -> None:
        self.home = home
        name = hashlib.sha256(home.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self.path = directory / ".served" / f"{name}.json"
        self._ids: frozenset[str] | None = None

    def ids(self) -> Set[str]:
        """The ids as they were last written; empty if the file is missing or damaged."""
        if self._ids is None:
            try:
                found = json.loads(read_regular(self.path))["schedules"]
                self._ids = frozenset(each for each in found if isinstance(each, str))
            except (OSError, ValueError, KeyError, TypeError):
                self._ids = frozenset()
        return self._ids

    def write(self, ids: Set[str]) -> None:
        """Remember these ids from now on. Raises RecordError."""
        if ids == self.ids() and self.path.exists():
            return
        data = json.dumps({"directory": self.home, "schedules": sorted(ids)})
        fresh = self.path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(data, encoding="utf-8", errors="backslashreplace")
            fresh.replace(self.path)
        except OSError as error:
            raise unwritable(self.path, error) from error
        self._ids = frozenset(ids)
