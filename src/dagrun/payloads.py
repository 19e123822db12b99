"""What a body is given: the rules by which parameters and outputs reach it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any


def parameter_variable(name: str) -> str:
    """The environment variable that carries the parameter `name` to a script (CONTRACT 4)."""
    return "DAGRUN_PARAM_" + re.sub(r"[^A-Z0-9_]", "_", name.upper())


def merged_params(params: Mapping[str, Any], upstream: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A task's own params plus `<task>__<key>` for every output of its direct dependencies; upstream wins (S2)."""
    merged = dict(params)
    for task_id, outputs in upstream.items():
        for key, value in outputs.items():
            merged[f"{task_id}__{key}"] = value
    return merged


def by_output(variants: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """What a group hands on: of each output a map from variant to value, from each variant's key and its outputs."""
    found: dict[str, dict[str, Any]] = {}
    for key, outputs in variants:
        for name, value in outputs.items():
            found.setdefault(name, {})[key] = value
    return dict(found)
