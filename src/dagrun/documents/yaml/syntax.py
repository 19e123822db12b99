"""Syntax errors of the YAML reader, in words for people."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import yaml

from dagrun.documents.yaml.text import SourceText
from dagrun.documents.yaml.values import Finding, Place, brief

#: The errors that a reader raises. Besides its own: lone surrogates cannot be encoded, and the pure Python reader fails
#: at escapes beyond Unicode.
UNREADABLE: Final = (yaml.YAMLError, ValueError, OverflowError)

_REFUSED: Final = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


def syntax_finding(text: SourceText, error: Exception) -> Finding:
    """The finding for a text that made a reader raise this error."""
    if isinstance(error, yaml.MarkedYAMLError):
        index, message, suggestion = _explained(_SyntaxFailure(text, error))
        return Finding(text.at(index), message, "syntax", suggestion)
    # libyaml counts bytes here, and lone surrogates have no place at all: search for the character instead.
    refused = re.search(_REFUSED, text.text)
    if refused is None:
        return Finding(Place(text.path, 1, 1), str(error).splitlines()[0], "syntax")
    number = ord(refused[0])
    message = f"character U+{number:04X} is not allowed in YAML"
    suggestion = f'write "\\x{number:02x}" inside double quotes' if number < 0x100 else ""
    return Finding(text.at(refused.start()), message, "control-character", suggestion)


class _SyntaxFailure:
    """Where and why the YAML reader stopped."""

    def __init__(self, text: SourceText, error: yaml.MarkedYAMLError) -> None:
        mark = error.problem_mark or error.context_mark
        context_mark = error.context_mark or mark
        self.text = text
        self.problem = error.problem or ""
        #: What the reader was doing ("while scanning a quoted scalar"), and where that began.
        self.context = error.context or ""
        self.began = min(context_mark.index, len(text.text)) if context_mark else 0
        self.start = text.at(self.began)
        self.at = min(mark.index, len(text.text)) if mark else 0
        self.place = text.at(self.at)
        #: The characters at both places; empty at the end of the text.
        self.first, self.char = text.text[self.began :][:1], text.text[self.at :][:1]
        #: The line before the failure.
        self.before = text.line(self.place.line)[: self.place.column - 1]
        self.at_end = not text.text[self.at :].strip()

    def line_above(self) -> tuple[int, str]:
        """The nearest line above that is neither empty nor a comment; number 0 if there is none."""
        for number in range(self.place.line - 1, 0, -1):
            line = self.text.line(number).strip()
            if line and not line.startswith("#"):
                return number, line
        return 0, ""


#: The index, the message, the suggestion.
_Explanation = tuple[int, str, str]


def _explained(failure: _SyntaxFailure) -> _Explanation:
    for pattern, explain in _EXPLAINERS:
        if re.search(pattern, f"{failure.context} | {failure.problem}") and (found := explain(failure)):
            return found
    return failure.at, f"{failure.problem} {failure.context}".strip(), ""


_QUOTE_IT: Final = "put the value in quotes"
_ALIGN: Final = "indent lines that belong together by the same number of spaces"
_FITS_NOWHERE: Final = "the indentation of this line matches none of the lines above"
_CLOSING: Final = {"[": "]", "{": "}"}
_SIGNS: Final = {"*": "an alias", "&": "an anchor", "!": "a tag"}


def _tab(failure: _SyntaxFailure) -> _Explanation | None:
    """A tab in the indentation, whatever the error of the reader was."""
    if failure.char != "\t" or failure.before.strip():
        return None
    help_ = "YAML does not allow tabs for indentation; use spaces"
    return failure.at, "a tab is used for indentation", help_


def _wrong_start(failure: _SyntaxFailure) -> _Explanation | None:
    if failure.char in ("|", ">"):
        help_ = "put it in quotes, or write each key on its own line"
        return failure.at, f"a block of lines ('{failure.char}') is not allowed inside {{ }} or [ ]", help_
    if failure.char not in ("@", "`", "%"):
        return None
    return failure.at, f"a value cannot start with '{failure.char}' unless it is quoted", _QUOTE_IT


def _colon(failure: _SyntaxFailure) -> _Explanation | None:
    """A ':' where no key can end: in a value, below a line without ':', or in a line with too much indentation."""
    if re.search(r"\S:\s", failure.before):
        return (
            failure.at,
            "the value contains ': ', which starts another mapping",
            f"{_QUOTE_IT}, or start a new line",
        )
    number, above = failure.line_above()
    if not number:
        return None
    item = re.sub(r"^(-\s+)*", "", above)
    if re.search(r":(\s|$)", item) and not re.match(r"-\S", item):
        message = f"this line is indented deeper than line {number}, which already has a value"
        return failure.at, message, _ALIGN
    sign = "a space" if re.match(r"-\S", item) else "a ':'"
    message = f"{sign} is missing on line {number}, or this line is indented too far"
    return failure.at, message, _colon_help(item)


def _no_colon(failure: _SyntaxFailure) -> _Explanation:
    """A line that should be a key but has no ':'."""
    line = failure.text.line(failure.start.line)[failure.start.column - 1 :].strip()
    return failure.began, f"a ':' is missing after '{brief(line)}'", _colon_help(line)


def _colon_help(line: str) -> str:
    glued = re.match(r"(-)[^\s-]|[\w.-]+(:)[^\s/]", line)
    return f"put a space after '{glued[1] or glued[2]}'" if glued else "write 'key: value'"


def _open_bracket(failure: _SyntaxFailure) -> _Explanation:
    closing = _CLOSING[failure.first]
    if failure.at_end:
        return failure.began, f"'{failure.first}' is never closed", f"add '{closing}'"
    wanted = f"',' or '{closing}'"
    if failure.start.line == failure.place.line:
        return failure.at, f"expected {wanted} here", f"{_QUOTE_IT} if it contains any of {{ }} [ ] , : #"
    # The bracket is the place to correct: the reader continued into lines that do not belong to it.
    return failure.began, f"'{failure.first}' is not closed before line {failure.place.line}", f"add {wanted}"


def _no_value(failure: _SyntaxFailure) -> _Explanation:
    if not failure.at_end:
        return failure.at, f"a value cannot start with '{failure.char}'", _QUOTE_IT
    written = failure.text.text.rstrip()
    if written.endswith(("[", "{")):
        return len(written) - 1, f"'{written[-1]}' is never closed", f"add '{_CLOSING[written[-1]]}'"
    return failure.at, "the text ends where a value is expected", "close all brackets, or write a value"


def _open_quote(failure: _SyntaxFailure) -> _Explanation:
    return (
        failure.began,
        f"the quote {failure.first} is never closed",
        f"add {failure.first} where the text ends",
    )


def _no_key(failure: _SyntaxFailure) -> _Explanation:
    """The reader expected the next key or item and found something else."""
    if failure.before.strip():
        if failure.char and failure.char in "]}":
            return failure.at, f"'{failure.char}' closes nothing", f"remove it, or {_QUOTE_IT}"
        help_ = "put the whole value in quotes; inside '…' write '' for '"
        return failure.at, "unexpected text after the value", help_
    if failure.place.column == failure.start.column:
        if failure.char == "-":
            return (
                failure.at,
                "a list item is between the keys of a mapping",
                "write the list under a key of its own",
            )
        if "collection" in failure.context:
            help_ = "indent it more if it belongs to the item above"
            return failure.at, "a key is between the items of a list", help_
    return failure.at, _FITS_NOWHERE, _ALIGN


def _item_in_line(failure: _SyntaxFailure) -> _Explanation:
    help_ = "start a new line before '- ', or put the value in quotes"
    return failure.at, "a list item cannot start in the middle of a line", help_


def _unknown_escape(failure: _SyntaxFailure) -> _Explanation:
    escape = failure.text.text[failure.at : failure.at + 2]
    help_ = r"use single quotes, or write '\\' for a backslash"
    return failure.at, f"'{escape}' is not an escape that YAML knows", help_


def _bare_sign(failure: _SyntaxFailure) -> _Explanation | None:
    if failure.first not in _SIGNS:
        return None
    return (
        failure.began,
        f"'{failure.first}' starts {_SIGNS[failure.first]} in YAML, but this is not one",
        _QUOTE_IT,
    )


def _after_document(failure: _SyntaxFailure) -> _Explanation:
    if not failure.before.strip() and failure.line_above()[1] != "...":
        return failure.at, _FITS_NOWHERE, _ALIGN
    return failure.at, "unexpected text after the end of the document", _QUOTE_IT


#: Patterns for "context | problem", in the words of libyaml or of the pure Python reader. The first that matches is used.
_EXPLAINERS: Final[tuple[tuple[str, Callable[[_SyntaxFailure], _Explanation | None]], ...]] = (
    ("tab|cannot start any token", _tab),
    ("cannot start any token", _wrong_start),
    ("mapping values are not allowed", _colon),
    ("could not find expected ':'", _no_colon),
    (r"flow (sequence|mapping) \|.*expected ',' or", _open_bracket),
    (r"quoted scalar \| found unexpected (end of stream|document)", _open_quote),
    ("(did not find )?expected (the )?node content", _no_value),
    (r"block (mapping|collection) \|", _no_key),
    ("sequence entries are not allowed", _item_in_line),
    ("unknown escape", _unknown_escape),
    ("while (scanning an alias|scanning an anchor|scanning a tag|parsing a tag)", _bare_sign),
    ("expected '?<document start>", _after_document),
)
