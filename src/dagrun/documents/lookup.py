"""Documents by name, without parsing them as YAML: a lookup reads many files, also for shell completion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = (".yaml", ".yml")
_VALUE = r"[ \t]*[\"']?([A-Za-z0-9][A-Za-z0-9_.-]*)[\"']?[ \t]*"
_NAME = re.compile(rf"^[\"']?name[\"']?:{_VALUE}(?:#.*)?$", re.MULTILINE)
#: The name of a document in the Kubernetes style. The indentation of the first key below `metadata:` is that of all its
#: keys; deeper ones (of labels, annotations) are not matched.
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
    """The documents in a directory."""
    for suffix in SUFFIXES:
        yield from sorted(directory.glob(f"*{suffix}"))


def stem(path: Path) -> str:
    """The file name of a document without its suffix, which is its default name."""
    return path.name.removesuffix(".yaml").removesuffix(".yml")


def declared_name(path: Path) -> str | None:
    """The `name:` of a document, or the one in its `metadata:`."""
    text = _head(path, _HEAD)
    match = _NAME.search(text) or _IN_ONE_LINE.search(text)
    if match is None and (metadata := _METADATA.search(text)):
        match = re.search(rf"^{metadata[1]}name:{_VALUE}(?:#.*)?$", metadata[2], re.MULTILINE)
    return match[1] if match else None


def named(directory: Path, name: str) -> list[Path]:
    """The documents of a directory with this name: by file name, otherwise by the name that they declare."""
    found = list(documents(directory))
    by_file = [path for path in found if name in (path.name, stem(path))]
    return by_file or [path for path in found if declared_name(path) == name]


def task_ids(path: Path) -> list[str]:
    """The ids of the tasks in a document, as far as they can be found without parsing YAML: good enough for completion."""
    return list(dict.fromkeys(match[1] for match in _ID.finditer(_head(path, 1024 * 1024))))


def looks_like_schedules(path: Path) -> bool:
    """Whether a file has a `cron:` where schedules have it, and none of the keys of a document."""
    text = _head(path, _HEAD)
    return bool(_CRON.search(text)) and not _DOCUMENT.search(text)


def _head(path: Path, size: int) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(size)
    except OSError:
        return ""
