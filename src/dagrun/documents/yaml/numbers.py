"""Warnings about unquoted numbers whose text is lost: `3.10` becomes 3.1, `0644` becomes 644."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dagrun.documents.yaml.document import Source
from dagrun.documents.yaml.values import Finding, brief

Path = tuple[str | int, ...]


def changed_numbers(source: Source, value: Any, path: Path) -> Iterator[Finding]:
    """A warning for each number in the value at `path` whose text differs from the one in the document."""
    if not source.changes_numbers:  # most documents need no second reading for their places
        return
    for at, number in _numbers(value, path):
        if (text := source.written(at)) not in (None, read := json.dumps(number)):
            yield Finding(
                source.place(at), f"{brief(text)} becomes the number {brief(read)}", "changed-number",
                f'put it in quotes to keep the text: "{brief(text)}"', "warning",
            )  # fmt: skip


def _numbers(value: Any, path: Path) -> Iterator[tuple[Path, int | float]]:
    """Every number in a value, with its place."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _numbers(item, (*path, key))
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _numbers(item, (*path, i))
