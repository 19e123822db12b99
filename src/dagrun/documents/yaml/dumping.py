"""Plain data as YAML text for people."""

from __future__ import annotations

from typing import Any


def dump(data: Any) -> str:
    """Data as a YAML document; keys keep their order."""
    import yaml

    text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)
    return text
