"""From the text of a script to the script that is run and the variables that it reads."""

from __future__ import annotations

import re
from itertools import count
from typing import Final

from dagrun.language.expressions import Expression, ExpressionError, PlaceholderSpan, parse, split
from dagrun.language.scripts.placeholders import PLACEHOLDER, Context, Quoting
from dagrun.language.scripts.shell import SHELLS, contexts
from dagrun.value import Value

_INSTEAD: Final = "put it in `env:` and read the variable"


class Variable(Value):
    """An environment variable that the script reads; `offset` is that of its first `${{`."""

    name: str
    expression: Expression
    offset: int


class SubstitutedScript(Value):
    """A script that can be run as it is, and the variables that it needs."""

    script: str
    variables: tuple[Variable, ...]


class ScriptProblems(ValueError):
    """Everything that is wrong with the `${{ }}` of one script, in the order of the text."""

    def __init__(self, errors: list[ExpressionError]) -> None:
        super().__init__("\n".join(error.message for error in errors))
        self.errors = tuple(sorted(errors, key=lambda error: error.offset))


def substitute(text: str, shell: str) -> SubstitutedScript:
    """The script with a reference to a variable for every `${{ }}`. Raises ScriptProblems with all errors.

    `text` must be everything that one shell reads: commands that run in one shell are joined first, because a quote that
    one of them leaves open changes the meaning of the next. `shell` names the program that reads it: one of SHELLS, or a
    program for whose language no reference is known.
    """
    if "${{" not in text:
        return SubstitutedScript(text, ())
    pieces = list(split(text))
    errors = [piece for piece in pieces if isinstance(piece, ExpressionError)]
    placeholders = [piece for piece in pieces if isinstance(piece, PlaceholderSpan)]
    found = _contexts(pieces, shell, len(placeholders))
    errors += [
        ExpressionError(f"a value cannot be used here: {context.reason}; {_INSTEAD}", span.start)
        for span, context in zip(placeholders, found, strict=True)
        if context.quoting is Quoting.REFUSED
    ]
    names = _VariableNames(text)
    script: list[str] = []
    remaining = iter(found)
    for piece in pieces:
        if isinstance(piece, str):
            script.append(piece)
        elif isinstance(piece, PlaceholderSpan):
            try:
                script.append(_reference(text, piece, next(remaining), names))
            except ExpressionError as error:
                errors.append(error)
    if errors:
        raise ScriptProblems(errors)
    return SubstitutedScript("".join(script), tuple(names.variables.values()))


def _contexts(pieces: list[str | PlaceholderSpan | ExpressionError], shell: str, count: int) -> list[Context]:
    """The context of each placeholder."""
    if shell not in SHELLS:
        return [Context(Quoting.REFUSED, f"'{shell}' has no known way to read a value safely")] * count
    flat = "".join(
        PLACEHOLDER if isinstance(piece, PlaceholderSpan) else piece
        for piece in pieces
        if not isinstance(piece, Exception)
    )
    if flat.count(PLACEHOLDER) != count:
        return [Context(Quoting.REFUSED, "the script contains a NUL character")] * count
    return contexts(flat, shell)


def _reference(text: str, span: PlaceholderSpan, context: Context, names: _VariableNames) -> str:
    if context.quoting is Quoting.COMMENT:
        # A line break would end the comment.
        return " ".join(text[span.start : span.end].splitlines())
    name = names.of(parse(text[span.inner : span.end - 2], span.inner), span.start)
    match context.quoting:
        case Quoting.BARE:
            return f'"${{{name}}}"'
        case Quoting.SINGLE:
            return f"'\"${{{name}}}\"'"
        case _:
            return f"${{{name}}}"


class _VariableNames:
    """One variable for each distinct expression. Names that the script itself contains are not used."""

    def __init__(self, text: str) -> None:
        self.variables: dict[str, Variable] = {}
        taken = {int(number) for number in re.findall(r"DAGRUN_X([0-9]{1,9})", text)}
        self._free = (f"DAGRUN_X{number}" for number in count(1) if number not in taken)

    def of(self, expression: Expression, offset: int) -> str:
        """The name of the variable with an expression's value."""
        if expression.text not in self.variables:
            self.variables[expression.text] = Variable(next(self._free), expression, offset)
        return self.variables[expression.text].name
