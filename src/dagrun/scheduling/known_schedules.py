"""Which schedules a directory held when a scheduler last looked at it: what is missing now was removed since, or cannot be read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Set
from pathlib import Path

from dagrun.errors import RecordError


class KnownSchedules:
    """The ids of one directory's schedules, in a file beside their claims: `.served/<directory>.json`."""

    def __init__(self, directory: Path, home: str) -> None:
        self.home = home
        name = hashlib.sha256(home.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self.path = directory / ".served" / f"{name}.json"
        self._names: frozenset[str] | None = None

    def names(self) -> Set[str]:
        """The ids as they were written last."""
        if self._names is None:
            try:
                found = json.loads(self.path.read_bytes())["schedules"]
                self._names = frozenset(name for name in found if isinstance(name, str))
            except (OSError, ValueError, KeyError, TypeError):
                self._names = frozenset()
        return self._names

    def write(self, names: Set[str]) -> None:
        """Remember these from now on. Raises RecordError."""
        if names == self.names() and self.path.exists():
            return
        data = json.dumps({"directory": self.home, "schedules": sorted(names)})
        fresh = self.path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(data, encoding="utf-8", errors="backslashreplace")
            fresh.replace(self.path)
        except OSError as error:
            raise RecordError(f"cannot write {self.path}: {error.strerror}") from error
        self._names = frozenset(names)
