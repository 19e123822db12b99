"""Text with any number of `${{ }}` in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dagrun.language.expressions.evaluation import Scope, as_text
from dagrun.language.expressions.expression import Expression, parse
from dagrun.language.expressions.parsing import MOST_CHARACTERS
from dagrun.language.expressions.tree import EvaluationError, ExpressionError, Json, Reference

_OPENING: Final = re.compile(r"\$\$\{\{|\$\{\{")
#: One piece of what is inside the braces, told apart by its first character; a quote that is never closed matches nothing.
_PIECE: Final = re.compile(r"""[^'"}]+|'[^']*'|"(?:[^"\\]|\\.)*"|\}(?!\})""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Span:
    """One `${{ ... }}` as it is written; `inner` is where its expression begins."""

    start: int
    inner: int
    end: int


@dataclass(frozen=True, slots=True)
class Hole:
    """One `${{ ... }}`; `start` and `end` are offsets in the whole text."""

    expression: Expression
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Template:
    """Text and holes in turn; no text is empty."""

    parts: tuple[str | Hole, ...]

    @property
    def holes(self) -> tuple[Hole, ...]:
        """The holes alone."""
        return tuple(part for part in self.parts if isinstance(part, Hole))

    @property
    def is_whole(self) -> bool:
        """Whether there is exactly one hole and nothing around it: its value keeps its type."""
        return len(self.parts) == 1 and isinstance(self.parts[0], Hole)

    def render(self, scope: Scope) -> Json:
        """The hole's own value if it is the whole, else the text with the values in it."""
        if self.is_whole:
            return self.holes[0].expression.evaluate(scope)
        return "".join(part if isinstance(part, str) else _filled(part, scope) for part in self.parts)


def _filled(hole: Hole, scope: Scope) -> str:
    value = hole.expression.evaluate(scope)
    try:
        return as_text(value)
    except ValueError as error:
        raise EvaluationError(str(error), hole.start) from None


def template(text: str, shift: int = 0) -> Template:
    """The template of a text; ExpressionError tells its first mistake. `shift` is where the text begins."""
    parts: list[str | Hole] = []
    for piece in spans(text):
        if isinstance(piece, ExpressionError):
            raise ExpressionError(piece.message, piece.offset + shift, piece.suggestion)
        if isinstance(piece, str):
            parts.append(piece)
            continue
        expression = parse(text[piece.inner : piece.end - 2], piece.inner + shift)
        parts.append(Hole(expression, piece.start + shift, piece.end + shift))
    return Template(tuple(parts))


def condition(text: str) -> Expression:
    """The expression of an `if` or `unless`, with or without `${{ }}` around all of it; any other text is an error."""
    inner = text.strip()
    shift = len(text) - len(text.lstrip())
    if not inner:
        raise ExpressionError("the condition is empty", 0)
    if "${{" not in inner:
        return parse(text)
    whole = "put one ${{ }} around the whole condition, or none"
    if not inner.startswith("${{"):
        at = shift + inner.index("${{")
        raise ExpressionError("a condition is one expression, without text around it", at, whole)
    parts = template(inner, shift).parts
    first = parts[0]
    if isinstance(first, str):
        raise ExpressionError("a condition is an expression, not a text", shift, whole)
    if len(parts) > 1:
        raise ExpressionError("a condition is one expression, without text around it", first.end, whole)
    return first.expression


def spans(text: str) -> Iterator[str | Span | ExpressionError]:
    """Text and `${{ }}` in turn, `$${{` already read as `${{`; an error is the last thing told."""
    done = 0
    literal = ""
    while found := _OPENING.search(text, done):
        literal += text[done : found.start()]
        if found[0].startswith("$$"):
            literal += "${{"
            done = found.end()
            continue
        if literal:
            yield literal
            literal = ""
        stop = _end_of_inside(text, found.end())
        if not text.startswith("}}", stop):
            yield _unclosed(text, found.start(), stop)
            return
        done = stop + 2
        yield Span(found.start(), found.end(), done)
    literal += text[done:]
    if literal:
        yield literal


def _end_of_inside(text: str, start: int) -> int:
    """Where the expression that begins at `start` ends: at its closing braces if it has them.

    A loop and not one pattern: CPython 3.11.0 to 3.11.2 match a possessive quantifier around a group wrongly.
    """
    limit = start + MOST_CHARACTERS + 2
    while piece := _PIECE.match(text, start, limit):
        start = piece.end()
    return start


def _unclosed(text: str, start: int, stopped: int) -> ExpressionError:
    if stopped - start > MOST_CHARACTERS:
        return ExpressionError(f"'${{{{' is not closed within {MOST_CHARACTERS:,} characters", start)
    if text[stopped : stopped + 1] in ("'", '"'):
        quote = text[stopped]
        return ExpressionError(f"the quote {quote} inside '${{{{' is never closed", stopped, f"add {quote}")
    return ExpressionError(
        "'${{' is never closed", start, "add '}}'; for the characters themselves write '$${{'"
    )


def rendered(value: Json, render: Callable[[str], Json]) -> Json:
    """A value with every text in it that holds a `${{ }}` replaced by what `render` makes of it."""
    if isinstance(value, str):
        return render(value) if "${{" in value else value
    if isinstance(value, Mapping):
        return {key: rendered(item, render) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rendered(item, render) for item in value]
    return value


def references(text: str) -> tuple[Reference, ...]:
    """What the expressions in a text read; nothing where one of them cannot be parsed."""
    if "${{" not in text:
        return ()
    try:
        holes = template(text).holes
    except ExpressionError:
        return ()
    return tuple(each for hole in holes for each in hole.expression.references)
