"""The documents of a project by name, without reading them as YAML: names are looked for in many files, and on TAB."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = (".yaml", ".yml")
_VALUE = r"[ \t]*[\"']?([A-Za-z0-9][A-Za-z0-9_.-]*)[\"']?[ \t]*"
_NAME = re.compile(rf"^[\"']?name[\"']?:{_VALUE}(?:#.*)?$", re.MULTILINE)
#: The name that a document of the Kubernetes style has: the first key that is indented below `metadata:` tells how far
#: its keys are, which the keys below those (labels, annotations) are not.
_METADATA = re.compile(
    r"^metadata:[ \t]*(?:#.*)?\n(?:[ \t]*(?:#.*)?\n)*(?=([ \t]+)\S)((?:\1.*\n?|[ \t]*(?:#.*)?\n)*)",
    re.MULTILINE,
)
_IN_ONE_LINE = re.compile(rf"^metadata:[ \t]*\{{(?:[^{{}}\n]*,)?[ \t]*name:{_VALUE}[,}}]", re.MULTILINE)
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
    """The `name:` of a document, or that of its `metadata:`."""
    text = _head(path, _HEAD)
    match = _NAME.search(text) or _IN_ONE_LINE.search(text)
    if match is None and (metadata := _METADATA.search(text)):
        match = re.search(rf"^{metadata[1]}name:{_VALUE}(?:#.*)?$", metadata[2], re.MULTILINE)
    return match[1] if match else None


def named(directory: Path, name: str) -> list[Path]:
    """The documents of a directory that a name stands for: by their file's name, else by the one that they declare."""
    found = list(documents(directory))
    by_file = [path for path in found if name in (path.name, stem(path))]
    return by_file or [path for path in found if declared_name(path) == name]


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
