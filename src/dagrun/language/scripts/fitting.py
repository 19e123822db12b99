"""From script text to the script that is run and the variables that it reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import count

from dagrun.language.expressions import Expression, ExpressionError, Span, parse, spans
from dagrun.language.scripts.placeholders import HOLE, Fit, Place
from dagrun.language.scripts.shell import SHELLS, places

INSTEAD = "put it in `env:` and read the variable"


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable that the script reads; `offset` is where its first `${{` stands."""

    name: str
    expression: Expression
    offset: int


@dataclass(frozen=True, slots=True)
class Fitted:
    """A script that can be run as it is, given its variables as text."""

    script: str
    variables: tuple[Variable, ...]


class ScriptProblems(ValueError):
    """Everything that is wrong with the `${{ }}` of one script, in the order it is written."""

    def __init__(self, errors: list[ExpressionError]) -> None:
        super().__init__("\n".join(error.message for error in errors))
        self.errors = tuple(sorted(errors, key=lambda error: error.offset))


def fit(text: str, shell: str) -> Fitted:
    """The script with every `${{ }}` fitted; ScriptProblems tells all that cannot be.

    `text` must be the whole of what one shell reads: commands that run in one shell are joined first, for a quote that
    one of them leaves open changes the meaning of the next. `shell` names what reads it: one of SHELLS, or a program into
    whose language no value can be fitted.
    """
    if "${{" not in text:
        return Fitted(text, ())
    pieces = list(spans(text))
    errors = [piece for piece in pieces if isinstance(piece, ExpressionError)]
    holes = [piece for piece in pieces if isinstance(piece, Span)]
    told = _told(pieces, shell, len(holes))
    errors += [
        ExpressionError(f"a value cannot stand here: {place.why}; {INSTEAD}", span.start)
        for span, place in zip(holes, told, strict=True)
        if place.fit is Fit.REFUSED
    ]
    names = _Names(text)
    script: list[str] = []
    remaining = iter(told)
    for piece in pieces:
        if isinstance(piece, str):
            script.append(piece)
        elif isinstance(piece, Span):
            try:
                script.append(_reference(text, piece, next(remaining), names))
            except ExpressionError as error:
                errors.append(error)
    if errors:
        raise ScriptProblems(errors)
    return Fitted("".join(script), tuple(names.variables.values()))


def _told(pieces: list[str | Span | ExpressionError], shell: str, count: int) -> list[Place]:
    """Where each hole stands."""
    if shell not in SHELLS:
        return [Place(Fit.REFUSED, f"'{shell}' has no known way to read a value safely")] * count
    flat = "".join(
        HOLE if isinstance(piece, Span) else piece for piece in pieces if not isinstance(piece, Exception)
    )
    if flat.count(HOLE) != count:
        return [Place(Fit.REFUSED, "the script holds a NUL character")] * count
    return places(flat, shell)


def _reference(text: str, span: Span, place: Place, names: _Names) -> str:
    if place.fit is Fit.COMMENT:
        # A line break would end the comment.
        return " ".join(text[span.start : span.end].splitlines())
    name = names.of(parse(text[span.inner : span.end - 2], span.inner), span.start)
    match place.fit:
        case Fit.BARE:
            return f'"${{{name}}}"'
        case Fit.SINGLE:
            return f"'\"${{{name}}}\"'"
        case _:
            return f"${{{name}}}"


class _Names:
    """One variable for each expression text; names that the script itself mentions are left alone."""

    def __init__(self, text: str) -> None:
        self.variables: dict[str, Variable] = {}
        taken = {int(number) for number in re.findall(r"DAGRUN_X([0-9]{1,9})", text)}
        self._free = (f"DAGRUN_X{number}" for number in count(1) if number not in taken)

    def of(self, expression: Expression, offset: int) -> str:
        """The variable of an expression."""
        if expression.text not in self.variables:
            self.variables[expression.text] = Variable(next(self._free), expression, offset)
        return self.variables[expression.text].name
