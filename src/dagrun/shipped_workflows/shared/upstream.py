"""Values that upstream tasks passed: `<task>__<key>`."""

from __future__ import annotations

from collections.abc import Mapping


def upstream_values(upstream: Mapping[str, object], key: str) -> list[tuple[str, object]]:
    """`(task, value)` for every `<task>__<key>`, sorted by task; a matrix task has one per variant."""
    found: list[tuple[str, object]] = []
    for name in sorted(upstream):
        task, separator, tail = name.rpartition("__")
        if separator and tail == key:
            value = upstream[name]
            if isinstance(value, Mapping):
                found.extend((f"{task}[{variant}]", value[variant]) for variant in value)
            else:
                found.append((task, value))
    return found
