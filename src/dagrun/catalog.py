"""The documents of a project by name, without reading them as YAML: names are looked for in many files, and on TAB."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = (".yaml", ".yml")
_NAME = re.compile(r"^name:[ \t]*[\"']?([A-Za-z0-9][A-Za-z0-9_.-]*)[\"']?[ \t]*(?:#.*)?$", re.MULTILINE)
_ID = re.compile(r"^[ \t]*-[ \t{]*(?:.*[,{ \t])?id:[ \t]*[\"']?([A-Za-z0-9][A-Za-z0-9_.-]*)", re.MULTILINE)
_CRON = re.compile(r"^(?:-[ \t]+|[ \t]+)?(?:\{.*)?[\"']?cron[\"']?[ \t]*:", re.MULTILINE)
_DOCUMENT = re.compile(r"^(?:tasks|jobs|steps|spec|on|kind|apiVersion)[ \t]*:", re.MULTILINE)
_HEAD = 64 * 1024


def documents(directory: Path) -> Iterator[Path]:
    """The documents that lie in a directory."""
    for suffix in SUFFIXES:
        yield from sorted(directory.glob(f"*{suffix}"))


def stem(path: Path) -> str:
    """A document's file name without its suffix: its name, when it declares none."""
    return path.name.removesuffix(".yaml").removesuffix(".yml")


def declared_name(path: Path) -> str | None:
    """The `name:` of a document."""
    match = _NAME.search(_head(path, _HEAD))
    return match[1] if match else None


def task_ids(path: Path) -> list[str]:
    """The ids of a document's tasks, as far as they can be seen without reading it as YAML: good enough to offer them."""
    return list(dict.fromkeys(match[1] for match in _ID.finditer(_head(path, 1024 * 1024))))


def looks_like_schedules(path: Path) -> bool:
    """Whether a file has a `cron:` where a schedule has it, and none of the keys that make a document."""
    text = _head(path, _HEAD)
    return bool(_CRON.search(text)) and not _DOCUMENT.search(text)


def _head(path: Path, size: int) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(size)
    except OSError:
        return ""
