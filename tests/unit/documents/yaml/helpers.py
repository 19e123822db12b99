"""Functions that several tests of YAML documents use."""

from __future__ import annotations

from typing import Any

import pytest

from dagrun.documents.yaml import DocumentError, Finding, Limits, Source


def load(text: str) -> Any:
    return Source.inline(text).load()


def findings(text: str, limits: Limits | None = None) -> tuple[Finding, ...]:
    source = Source.inline(text, limits=limits or Limits())
    with pytest.raises(DocumentError) as caught:
        source.load()
    assert caught.value.source is source
    return caught.value.findings


def reported(text: str, limits: Limits | None = None) -> list[tuple[str, str]]:
    """Each finding's "line:column" and code."""
    return [(f"{f.place.line}:{f.place.column}", f.code) for f in findings(text, limits)]
