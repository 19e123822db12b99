"""PLACEHOLDER by the lead so that others can run meanwhile: the expressions helper overwrites this file whole."""
from __future__ import annotations

from dataclasses import dataclass

from dagrun.expressions import Expression, ExpressionError


@dataclass(frozen=True)
class Variable:
    name: str
    expression: Expression
@dataclass(frozen=True)
class Fitted:
    script: str
    variables: tuple[Variable, ...] = ()
    problems: tuple[ExpressionError, ...] = ()
def fit(text: str, shell: str) -> Fitted: return Fitted(text)
