"""A cache of documents that were checked and had no errors, so that an unchanged one is neither parsed nor checked again."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dagrun import __version__
from dagrun.documents.yaml.values import Finding
from dagrun.kinds import KINDS
from dagrun.storage import disk, recorded_dag
from dagrun.value import Value, replace

if TYPE_CHECKING:
    from dagrun.core.model import Dag
    from dagrun.registry import Registry

#: The packages that decide what a document means: a change in one of them makes every entry worthless.
_DECIDING = ("core", "documents", "kinds", "language")


class CheckedDocument(Value):
    """A document without errors: its DAG, and its warnings."""

    dag: Dag
    warnings: tuple[Finding, ...]
    #: A hash of the workflows that it was checked against, if it calls any.
    registry: str | None = None


class _Entry(Value):
    """The content of a file of the cache."""

    registry: str | None
    warnings: tuple[Finding, ...]
    dag: msgspec.Raw


class DocumentCache:
    """Checked documents in a directory, at most `max_bytes` of them; those that were not used for longest are deleted first.

    Nothing depends on it: an entry that is damaged, or in a directory that others can write to, is not used. No method raises.
    """

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self._directory = directory
        self._max_bytes = max_bytes

    def key(self, text: str, default_name: str) -> str:
        """The key of a document with this text; `default_name` is its name if it declares none."""
        parts = (_own_version(), *KINDS, default_name, text)
        return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def find(self, key: str, displayed: str) -> CheckedDocument | None:
        """The document with this key, its warnings at the path `displayed`; None if it is not known."""
        if not self._max_bytes:
            return None
        path = self._path(key)
        try:
            data = disk.read_file(path)
            if disk.why_not_shared(self._directory):
                return None
        except OSError:
            return None
        try:
            entry = msgspec.json.decode(data, type=_Entry)
            dag = recorded_dag.from_json(bytes(entry.dag))
        except (msgspec.DecodeError, ValueError, RecursionError):
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        warnings = (replace(each, place=replace(each.place, path=displayed)) for each in entry.warnings)
        return CheckedDocument(dag, tuple(warnings), entry.registry)

    def add(self, key: str, document: CheckedDocument) -> None:
        """Keep a document, if this user can write to the cache."""
        path = self._path(key)
        new = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            entry = _Entry(
                document.registry, document.warnings, msgspec.Raw(recorded_dag.to_json(document.dag))
            )
            data = msgspec.json.encode(entry)
            with contextlib.suppress(FileExistsError):
                disk.make_private_directory(self._directory)
            if len(data) > self._max_bytes or disk.why_not_shared(self._directory):
                return
            new.write_bytes(data)
            new.replace(path)
            self._shrink()
        except (OSError, ValueError, RecursionError):
            with contextlib.suppress(OSError):
                new.unlink()

    def _path(self, key: str) -> Path:
        return self._directory / f"{key}.json"

    def _shrink(self) -> None:
        entries = sorted(self._entries(), reverse=True)
        size = 0
        for _, entry_size, path in entries:
            size += entry_size
            if size > self._max_bytes:
                path.unlink(missing_ok=True)

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        with os.scandir(self._directory) as found:
            for each in found:
                status = each.stat(follow_symlinks=False)
                yield status.st_mtime, status.st_size, Path(each.path)


def fingerprint(registry: Registry) -> str:
    """A hash of the registered workflows, their parameters, and what could not be read."""
    data = [[each for _, each in sorted(registry.workflows.items())], list(registry.failures)]
    return hashlib.blake2b(msgspec.json.encode(data), digest_size=16).hexdigest()


@cache
def _own_version() -> str:
    """What changes with every version of dagrun, and with every change of its code."""
    package = Path(__file__).parent.parent
    folders = (folder for part in _DECIDING for folder in os.walk(package / part))
    files = (Path(folder, name) for folder, _, names in folders for name in names if name.endswith(".py"))
    newest = max((file.stat().st_mtime_ns for file in files), default=0)  # no files: dagrun is in an archive
    return f"{__version__} {newest}"
