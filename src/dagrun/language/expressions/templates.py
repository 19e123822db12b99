"""Templates: text with any number of `${{ }}` in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from dagrun.language.expressions.evaluation import MAX_TEXT, Scope, as_text, too_long
from dagrun.language.expressions.expression import Expression, parse
from dagrun.language.expressions.parsing import MAX_CHARACTERS
from dagrun.language.expressions.tree import EvaluationError, ExpressionError, Json, Reference
from dagrun.value import Value

#: A parsed placeholder takes about a hundred times the memory of its text.
MAX_PLACEHOLDERS: Final = 100_000
_OPENING: Final = re.compile(r"\$\$\{\{|\$\{\{")
#: One piece of the content of a placeholder. The first character decides which; an unclosed quote matches nothing.
_PIECE: Final = re.compile(r"""[^'"}]+|'[^']*'|"(?:[^"\\]|\\.)*"|\}(?!\})""", re.DOTALL)


class PlaceholderSpan(Value):
    """One `${{ ... }}` that is not parsed yet; `inner` is the offset of its expression."""

    start: int
    inner: int
    end: int


class Placeholder(Value):
    """One parsed `${{ ... }}`; `start` and `end` are offsets in the whole text."""

    expression: Expression
    start: int
    end: int


class Template(Value):
    """Text and placeholders in order; no text is empty."""

    parts: tuple[str | Placeholder, ...]

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """Only the placeholders."""
        return tuple(part for part in self.parts if isinstance(part, Placeholder))

    @property
    def is_whole(self) -> bool:
        """Whether there is exactly one placeholder and nothing around it: its value keeps its type."""
        return len(self.parts) == 1 and isinstance(self.parts[0], Placeholder)

    def render(self, scope: Scope) -> Json:
        """The value of the placeholder if there is nothing else, otherwise the text with all values inserted.

        Raises EvaluationError.
        """
        if self.is_whole:
            return self.placeholders[0].expression.evaluate(scope)
        texts: list[str] = []
        size = 0
        for part in self.parts:
            texts.append(part if isinstance(part, str) else _text_of(part, scope))
            size += len(texts[-1])
            if size > scope.max_text:
                raise EvaluationError(too_long(scope.max_text), self.placeholders[0].start)
        return "".join(texts)


def _text_of(placeholder: Placeholder, scope: Scope) -> str:
    value = placeholder.expression.evaluate(scope)
    try:
        return as_text(value)
    except ValueError as error:
        raise EvaluationError(str(error), placeholder.start) from None


def template(text: str, shift: int = 0) -> Template:
    """Parse a template. `shift` is the offset of the text in the text of the user. Raises ExpressionError for the first error."""
    parts: list[str | Placeholder] = []
    for piece in split(text):
        if isinstance(piece, ExpressionError):
            raise ExpressionError(piece.message, piece.offset + shift, piece.suggestion)
        if isinstance(piece, str):
            parts.append(piece)
            continue
        expression = parse(text[piece.inner : piece.end - 2], piece.inner + shift)
        parts.append(Placeholder(expression, piece.start + shift, piece.end + shift))
    return Template(tuple(parts))


def condition(text: str) -> Expression:
    """Parse an `if` or `unless`: one expression, with or without `${{ }}` around all of it. Raises ExpressionError."""
    inner = text.strip()
    shift = len(text) - len(text.lstrip())
    if not inner:
        raise ExpressionError("the condition is empty", 0)
    if "${{" not in inner:
        return parse(text)
    whole = "write one ${{ }} around the whole condition, or none"
    if not inner.startswith("${{"):
        at = shift + inner.index("${{")
        raise ExpressionError("a condition is one expression, without text around it", at, whole)
    parts = template(inner, shift).parts
    first = parts[0]
    if isinstance(first, str):
        raise ExpressionError("a condition is an expression, not text", shift, whole)
    if len(parts) > 1:
        raise ExpressionError("a condition is one expression, without text around it", first.end, whole)
    return first.expression


def split(text: str) -> Iterator[str | PlaceholderSpan | ExpressionError]:
    """The text and the placeholders of a template in order, with `$${{` read as `${{`. After an error nothing follows."""
    done = found_so_far = 0
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
        found_so_far += 1
        if found_so_far > MAX_PLACEHOLDERS:
            yield ExpressionError(f"a text has at most {MAX_PLACEHOLDERS:,} ${{{{ }}}}", found.start())
            return
        stop = _end_of_inside(text, found.end())
        if not text.startswith("}}", stop):
            yield _unclosed(text, found.start(), stop)
            return
        done = stop + 2
        yield PlaceholderSpan(found.start(), found.end(), done)
    literal += text[done:]
    if literal:
        yield literal


def _end_of_inside(text: str, start: int) -> int:
    """The end of the expression that begins at `start`: its closing braces, if it has them.

    A loop, not one pattern: CPython 3.11.0 to 3.11.2 match a possessive quantifier around a group wrongly.
    """
    limit = start + MAX_CHARACTERS + 2
    while piece := _PIECE.match(text, start, limit):
        start = piece.end()
    return start


def _unclosed(text: str, start: int, stopped: int) -> ExpressionError:
    if stopped - start > MAX_CHARACTERS:
        return ExpressionError(f"'${{{{' is not closed within {MAX_CHARACTERS:,} characters", start)
    if text[stopped : stopped + 1] in ("'", '"'):
        quote = text[stopped]
        return ExpressionError(f"the quote {quote} inside '${{{{' is never closed", stopped, f"add {quote}")
    return ExpressionError(
        "'${{' is never closed", start, "add '}}'; to write the characters themselves, use '$${{'"
    )


def render_all(value: Json, render: Callable[[str], Json], max_text: int = MAX_TEXT) -> Json:
    """A value in which every text with a `${{ }}` is replaced by the result of `render`.

    Raises EvaluationError if the new texts have more than `max_text` characters together.
    """
    size = 0

    def rendered(value: Json) -> Json:
        nonlocal size
        if isinstance(value, str):
            if "${{" not in value:
                return value
            new = render(value)
            size += len(new) if isinstance(new, str) else 0
            if size > max_text:
                raise EvaluationError(too_long(max_text), 0)
            return new
        if isinstance(value, Mapping):
            return {key: rendered(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [rendered(item) for item in value]
        return value

    return rendered(value)


def references(text: str) -> tuple[Reference, ...]:
    """The values that the expressions in a text read; none if one of them cannot be parsed."""
    if "${{" not in text:
        return ()
    try:
        placeholders = template(text).placeholders
    except ExpressionError:
        return ()
    return tuple(each for placeholder in placeholders for each in placeholder.expression.references)
