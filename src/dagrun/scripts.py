"""PLACEHOLDER by the lead so that others can run meanwhile: the expressions helper overwrites this file whole."""
from __future__ import annotations
from dataclasses import dataclass
from typing import Any
@dataclass(frozen=True)
class Fitted:
    script: str
    variables: tuple[tuple[str, Any, int], ...] = ()
def fit(text: str, shell: str) -> Fitted: return Fitted(text)
