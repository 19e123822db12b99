"""PLACEHOLDER by the lead so that others can run meanwhile: the expressions helper overwrites this file whole."""
from __future__ import annotations
from dataclasses import dataclass
from typing import Any
OPEN = "${{"
class EvaluationError(ValueError):
    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
@dataclass(frozen=True)
class Reference:
    root: str
    path: tuple[Any, ...] = ()
    offset: int = 0
@dataclass(frozen=True)
class Call:
    name: str
    args: tuple[Any, ...] = ()
    offset: int = 0
@dataclass(frozen=True)
class Expression:
    text: str = ""
    references: tuple[Reference, ...] = ()
    calls: tuple[Call, ...] = ()
    def evaluate(self, scope: Any) -> Any: return True
@dataclass(frozen=True)
class Scope:
    roots: Any
    functions: Any
@dataclass(frozen=True)
class Template:
    text: str
    expressions: tuple[Expression, ...] = ()
    def render(self, scope: Any) -> Any: return self.text
def condition(text: str) -> Expression: return Expression(text)
def template(text: str) -> Template: return Template(text)
def truth(value: Any) -> bool: return bool(value)
def text_of(value: Any) -> str: return str(value)
def wrap(expression: Expression) -> str: return expression.text
