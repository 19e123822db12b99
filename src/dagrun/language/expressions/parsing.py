"""From text to a syntax tree: a tokenizer and a Pratt parser, with limits on length and depth."""

from __future__ import annotations

import math
import re
from typing import Final, NoReturn, cast

from dagrun.errors import did_you_mean
from dagrun.language.expressions.tree import (
    Apply,
    Compare,
    Comparison,
    Constant,
    ExpressionError,
    Logic,
    Lookup,
    Not,
    Root,
    TreeNode,
)
from dagrun.value import Value

MAX_CHARACTERS: Final = 8_000
MAX_DEPTH: Final = 50
MAX_DIGITS: Final = 40

#: How many arguments a function takes: minimum and maximum (None: no maximum).
ARGUMENTS: Final[dict[str, tuple[int, int | None]]] = {
    "success": (0, 0),
    "failure": (0, 0),
    "always": (0, 0),
    "cancelled": (0, 0),
    "changed": (1, 1),
    "contains": (2, 2),
    "startsWith": (2, 2),
    "endsWith": (2, 2),
    "format": (1, None),
    "join": (1, 2),
    "toJSON": (1, 1),
    "fromJSON": (1, 1),
    "default": (2, 2),
    "keys": (1, 1),
    "values": (1, 1),
    "length": (1, 1),
    "date": (2, 3),
    "shift": (2, 2),
}
CONSTANTS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
_WORDS: Final = {"and": "&&", "or": "||", "not": "not"}

# How tightly operators bind. `not` applies to a whole comparison, `!` only to an operand.
_OR, _AND, _NOT, _COMPARE, _OPERAND = range(1, 6)
_POWER: Final = {"||": _OR, "&&": _AND, **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), _COMPARE)}

_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![A-Za-z0-9_])
    | (?P<name>[A-Za-z_][A-Za-z0-9_-]*)
    | \.\s*(?P<field>[A-Za-z0-9_][A-Za-z0-9_-]*)
    | (?P<single>'(?:[^']|'')*')
    | (?P<double>"(?:[^"\\]|\\.)*")
    | (?P<sign>==|!=|<=|>=|&&|\|\||[<>!()\[\],])
    )""",
    re.VERBOSE | re.DOTALL,
)
_SPACE: Final = re.compile(r"\s*")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES: Final = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}
_INSTEAD: Final = {
    "=": "'==' compares",
    "&": "write '&&' or 'and'",
    "|": "write '||' or 'or'",
    "'": "close the quote; inside '..' write '' for '",
    '"': "close the quote",
    "`": "write text in quotes: '..'",
    "{": "write ${{ .. }} around the expression, or nothing",
    "+": "there is no arithmetic; format('{0}{1}', a, b) joins text",
    "-": "there is no arithmetic",
    "*": "there is no arithmetic",
    "/": "there is no arithmetic",
    "%": "there is no arithmetic",
    "(": "only functions are called with parentheses, by their names: contains(a, 'x')",
    "?": "write a && b || c",
    "if": "write a && b || c",
    "is": "'==' compares",
    "in": "write contains(list, value)",
    "and": "write '&&' or 'and'",
    "or": "write '||' or 'or'",
    "not": "write '!' or 'not'",
    **dict.fromkeys("‘’“”", "write text in straight quotes: '..'"),
    "$": "close the '${{' before it with '}}'; inside it, names need no '$'",
}


class _Token(Value):
    """`kind` is number, name, field, text, end, or the operator itself."""

    kind: str
    text: str
    offset: int


def parse_tree(text: str, shift: int = 0) -> TreeNode:
    """The tree of an expression. `shift` is the offset of `text` in the text of the user, where offsets count from."""
    if len(text) > MAX_CHARACTERS:
        _fail(f"the expression has {len(text):,} characters, more than the {MAX_CHARACTERS:,} allowed", shift)
    return _Parser(text, shift).whole()


def _fail(message: str, offset: int, suggestion: str = "") -> NoReturn:
    raise ExpressionError(message, offset, suggestion)


class _Parser:
    """A parser that looks one token ahead."""

    def __init__(self, text: str, shift: int) -> None:
        self.text = text
        self.shift = shift
        self.depth = 0
        self.token = self._read(0)

    def whole(self) -> TreeNode:
        if self.token.kind == "end":
            _fail("the expression is empty", self.shift)
        tree = self.expression(_OR)
        if self.token.kind != "end":
            raise self._unexpected()
        return tree

    def expression(self, power: int) -> TreeNode:
        """The longest expression whose operators bind at least as tightly as `power`."""
        left = self._operand(power)
        while (level := _POWER.get(self.token.kind, 0)) >= power:
            left = self._comparison(left) if level == _COMPARE else self._logic(left, level)
        return left

    def _comparison(self, left: TreeNode) -> TreeNode:
        operator = self._advance()
        right = self.expression(_OPERAND)
        if _POWER.get(self.token.kind) == _COMPARE:
            _fail("comparisons are not chained", self.token.offset, "write a < b && b < c")
        return Compare(cast("Comparison", operator.kind), left, right, operator.offset)

    def _logic(self, left: TreeNode, level: int) -> TreeNode:
        operator = self.token.kind
        operands = [left]
        while self.token.kind == operator:
            self._advance()
            operands.append(self.expression(level + 1))
        return Logic("&&" if operator == "&&" else "||", tuple(operands), left.offset)

    def _operand(self, power: int) -> TreeNode:
        token = self.token
        self.depth += 1
        if self.depth > MAX_DEPTH:
            _fail(f"the expression is nested more than {MAX_DEPTH} levels deep", token.offset)
        node = self._steps(self._first(power))
        self.depth -= 1
        return node

    def _first(self, power: int) -> TreeNode:
        token = self.token
        match token.kind:
            case "!":
                self._advance()
                return Not(self._operand(_OPERAND), token.offset)
            case "not":
                if power > _NOT:
                    _fail("'not' is not allowed here", token.offset, "put it in parentheses: (not ...)")
                self._advance()
                return Not(self.expression(_NOT), token.offset)
            case "(":
                self._advance()
                inner = self.expression(_OR)
                self._expect(")", token)
                return inner
            case "text" | "number":
                self._advance()
                return Constant(self._value(token), token.offset)
            case "name":
                return self._named(self._advance())
            case _:
                raise self._unexpected()

    def _named(self, token: _Token) -> TreeNode:
        if token.text in CONSTANTS:
            return Constant(CONSTANTS[token.text], token.offset)
        if self.token.kind != "(":
            return Root(token.text, token.offset)
        opened = self._advance()
        arguments: list[TreeNode] = []
        while self.token.kind != ")":
            if arguments and self.token.kind != ",":
                self._expect(")", opened)
            if arguments:
                self._advance()
            arguments.append(self.expression(_OR))
        self._advance()
        _check_count(token, len(arguments))
        return Apply(token.text, tuple(arguments), token.offset)

    def _steps(self, base: TreeNode) -> TreeNode:
        steps: list[TreeNode] = []
        while self.token.kind in ("field", "["):
            if isinstance(base, Constant):
                raise self._unexpected()
            token = self._advance()
            if token.kind == "field":
                steps.append(Constant(token.text, token.offset))
            else:
                steps.append(self.expression(_OR))
                self._expect("]", token)
        return Lookup(base, tuple(steps), base.offset) if steps else base

    # --- tokens ---

    def _advance(self) -> _Token:
        token = self.token
        self.token = self._read(token.offset - self.shift + len(token.text))
        return token

    def _expect(self, kind: str, opened: _Token) -> None:
        if self.token.kind == "end":
            _fail(f"'{opened.text}' is never closed", opened.offset, f"add '{kind}'")
        if self.token.kind != kind:
            raise self._unexpected()
        self._advance()

    def _read(self, at: int) -> _Token:
        match = _TOKEN.match(self.text, at)
        if match is None:
            return self._no_token(_SPACE.match(self.text, at))
        kind = match.lastgroup or ""
        text = match[kind]
        if kind == "sign":
            kind = text
        elif kind in ("single", "double"):
            kind = "text"
        elif kind == "name":
            kind = _WORDS.get(text, kind)
        return _Token(kind, text, match.start(match.lastgroup or 0) + self.shift)

    def _no_token(self, space: re.Match[str] | None) -> _Token:
        at = space.end() if space else 0
        if at == len(self.text):
            return _Token("end", "", at + self.shift)
        char = self.text[at]
        shown = char if char.isprintable() else char.encode("unicode_escape", "replace").decode()
        if char.isdigit() or (char == "-" and self.text[at + 1 : at + 2].isdigit()):
            _fail("this is neither a number nor a name", at + self.shift, "write text in quotes: '..'")
        _fail(
            f"unexpected {shown if char in _QUOTES else repr(shown)}", at + self.shift, _INSTEAD.get(char, "")
        )

    def _unexpected(self) -> ExpressionError:
        token = self.token
        if token.kind == "end":
            message = "the expression ends where a value is expected"
            return ExpressionError(message, max(self.shift, token.offset - 1))
        shown = token.text if len(token.text) < 40 else token.text[:36] + "..."
        hint = _INSTEAD.get(token.text.lower(), "")
        if not hint and token.kind == "name":
            hint = "add an operator before it, or quotes around text"
        return ExpressionError(
            f"unexpected {shown if token.kind == 'text' else repr(shown)}", token.offset, hint
        )

    def _value(self, token: _Token) -> str | int | float:
        if token.kind == "text":
            inner = token.text[1:-1]
            if token.text[0] == "'":
                return inner.replace("''", "'")
            return _ESCAPE.sub(lambda found: _unescaped(found, token.offset + 1), inner)
        if len(token.text) > MAX_DIGITS:
            _fail(f"the number has more than {MAX_DIGITS} digits", token.offset)
        if re.fullmatch(r"-?[0-9]+", token.text):
            return int(token.text)
        number = float(token.text)
        if not math.isfinite(number):
            _fail("the number is too large", token.offset)
        return number


_QUOTES: Final = "'\""


def _unescaped(found: re.Match[str], at: int) -> str:
    if found[1] not in _ESCAPES:
        known = 'inside ".." the escapes are \\" \\\\ \\n \\t; inside \'..\' a backslash is a plain character'
        _fail("this is not a known escape", at + found.start(), known)
    return _ESCAPES[found[1]]


def _check_count(token: _Token, given: int) -> None:
    fewest, most = ARGUMENTS.get(token.text, (0, None))
    if given < fewest or (most is not None and given > most):
        wanted = (
            f"{fewest}" if most == fewest else f"{fewest} or more" if most is None else f"{fewest} or {most}"
        )
        plural = "argument" if wanted == "1" else "arguments"
        _fail(f"{token.text}() takes {wanted if wanted != '0' else 'no'} {plural}, not {given}", token.offset)


def unknown_function(name: str, offset: int) -> ExpressionError:
    """The error for a function that does not exist."""
    same = next((known for known in ARGUMENTS if known.lower() == name.lower()), None)
    near = f"did you mean '{same}'?" if same else did_you_mean(name, ARGUMENTS)
    suggestion = near or f"available: {', '.join(sorted(ARGUMENTS))}"
    return ExpressionError(f"unknown function '{name}'", offset, suggestion)
