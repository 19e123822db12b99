"""What the YAML reader stumbled over, in words for people."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import yaml

from dagrun.documents.yaml.text import Text
from dagrun.documents.yaml.values import Finding, Place, brief

#: What a reader raises. Besides its own errors: lone surrogates do not encode, and the pure Python reader trips over
#: escapes beyond Unicode.
UNREADABLE: Final = (yaml.YAMLError, ValueError, OverflowError)

_REFUSED: Final = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


def syntax_finding(text: Text, error: Exception) -> Finding:
    """What is wrong with a text that made a reader raise this error."""
    if isinstance(error, yaml.MarkedYAMLError):
        index, message, suggestion = _told(_Snag(text, error))
        return Finding(text.at(index), message, "syntax", suggestion)
    # libyaml counts bytes here, and lone surrogates have no place at all: look for the character ourselves.
    refused = re.search(_REFUSED, text.text)
    if refused is None:
        return Finding(Place(text.path, 1, 1), str(error).splitlines()[0], "syntax")
    number = ord(refused[0])
    message = f"character U+{number:04X} is not allowed in YAML"
    suggestion = f'write "\\x{number:02x}" inside double quotes' if number < 0x100 else ""
    return Finding(text.at(refused.start()), message, "control-character", suggestion)


class _Snag:
    """Where and why the YAML reader gave up."""

    def __init__(self, text: Text, error: yaml.MarkedYAMLError) -> None:
        mark = error.problem_mark or error.context_mark
        context_mark = error.context_mark or mark
        self.text = text
        self.problem = error.problem or ""
        #: What the reader was at ("while scanning a quoted scalar"), and where that began.
        self.context = error.context or ""
        self.began = min(context_mark.index, len(text.text)) if context_mark else 0
        self.start = text.at(self.began)
        self.at = min(mark.index, len(text.text)) if mark else 0
        self.place = text.at(self.at)
        #: The characters at both; empty at the text's end.
        self.first, self.char = text.text[self.began :][:1], text.text[self.at :][:1]
        #: The line up to the snag.
        self.before = text.line(self.place.line)[: self.place.column - 1]
        self.at_end = not text.text[self.at :].strip()

    def line_above(self) -> tuple[int, str]:
        """The nearest line above that is neither empty nor a comment; number 0 if there is none."""
        for number in range(self.place.line - 1, 0, -1):
            line = self.text.line(number).strip()
            if line and not line.startswith("#"):
                return number, line
        return 0, ""


#: Where it is, what is wrong, what to do.
_Told = tuple[int, str, str]


def _told(snag: _Snag) -> _Told:
    for pattern, tell in _TELLERS:
        if re.search(pattern, f"{snag.context} | {snag.problem}") and (told := tell(snag)):
            return told
    return snag.at, f"{snag.problem} {snag.context}".strip(), ""


_QUOTE_IT: Final = "put the value in quotes"
_ALIGN: Final = "give lines that belong together the same number of spaces"
_FITS_NOWHERE: Final = "this line's indentation fits none of the lines above"
_CLOSING: Final = {"[": "]", "{": "}"}
_SIGNS: Final = {"*": "an alias", "&": "an anchor", "!": "a tag"}


def _tab(snag: _Snag) -> _Told | None:
    """A tab where indentation is counted, whatever the reader made of it."""
    if snag.char != "\t" or snag.before.strip():
        return None
    help_ = "YAML does not allow tabs for indentation; use spaces"
    return snag.at, "a tab is used for indentation", help_


def _wrong_start(snag: _Snag) -> _Told | None:
    if snag.char in ("|", ">"):
        help_ = "put it in quotes, or give each key a line of its own"
        return snag.at, f"a block of lines ('{snag.char}') cannot stand inside {{ }} or [ ]", help_
    if snag.char not in ("@", "`", "%"):
        return None
    return snag.at, f"a value cannot start with '{snag.char}' unless it is quoted", _QUOTE_IT


def _colon(snag: _Snag) -> _Told | None:
    """A ':' where no key may end: in a value, below a line without ':', or in a line indented too far."""
    if re.search(r"\S:\s", snag.before):
        return (
            snag.at,
            "a value holds ': ', which starts another mapping",
            f"{_QUOTE_IT}, or start a new line",
        )
    number, above = snag.line_above()
    if not number:
        return None
    item = re.sub(r"^(-\s+)*", "", above)
    if re.search(r":(\s|$)", item) and not re.match(r"-\S", item):
        message = f"this line is indented deeper than line {number}, which has its value already"
        return snag.at, message, _ALIGN
    sign = "a space" if re.match(r"-\S", item) else "a ':'"
    message = f"{sign} is missing in line {number}, or this line is indented too far"
    return snag.at, message, _colon_help(item)


def _no_colon(snag: _Snag) -> _Told:
    """A line that should be a key and has no ':'."""
    line = snag.text.line(snag.start.line)[snag.start.column - 1 :].strip()
    return snag.began, f"a ':' is missing after '{brief(line)}'", _colon_help(line)


def _colon_help(line: str) -> str:
    glued = re.match(r"(-)[^\s-]|[\w.-]+(:)[^\s/]", line)
    return f"put a space after '{glued[1] or glued[2]}'" if glued else "write 'key: value'"


def _open_bracket(snag: _Snag) -> _Told:
    closing = _CLOSING[snag.first]
    if snag.at_end:
        return snag.began, f"'{snag.first}' is never closed", f"add '{closing}'"
    wanted = f"',' or '{closing}'"
    if snag.start.line == snag.place.line:
        return snag.at, f"expected {wanted} here", f"{_QUOTE_IT} if it holds any of {{ }} [ ] , : #"
    # The bracket is what a person has to look at: the reader went on into lines which were not meant.
    return snag.began, f"'{snag.first}' is not closed before line {snag.place.line}", f"add {wanted}"


def _no_value(snag: _Snag) -> _Told:
    if not snag.at_end:
        return snag.at, f"a value cannot start with '{snag.char}'", _QUOTE_IT
    written = snag.text.text.rstrip()
    if written.endswith(("[", "{")):
        return len(written) - 1, f"'{written[-1]}' is never closed", f"add '{_CLOSING[written[-1]]}'"
    return snag.at, "the text ends where a value is expected", "is a bracket still open?"


def _open_quote(snag: _Snag) -> _Told:
    return snag.began, f"the quote {snag.first} is never closed", f"add {snag.first} where the text ends"


def _no_key(snag: _Snag) -> _Told:
    """The reader wanted the next key or item and met something else."""
    if snag.before.strip():
        if snag.char and snag.char in "]}":
            return snag.at, f"'{snag.char}' closes nothing", f"remove it, or {_QUOTE_IT}"
        help_ = "put the whole value in quotes; inside '…' write '' for '"
        return snag.at, "unexpected text after the value", help_
    if snag.place.column == snag.start.column:
        if snag.char == "-":
            return snag.at, "a list item stands among the keys of a mapping", "a list needs a key of its own"
        if "collection" in snag.context:
            help_ = "give it more spaces if it belongs to the item above"
            return snag.at, "a key stands among the items of a list", help_
    return snag.at, _FITS_NOWHERE, _ALIGN


def _item_in_line(snag: _Snag) -> _Told:
    help_ = "put '- ' on a line of its own, or quote it"
    return snag.at, "a list item cannot start in the middle of a line", help_


def _unknown_escape(snag: _Snag) -> _Told:
    escape = snag.text.text[snag.at : snag.at + 2]
    help_ = r"use single quotes, or write '\\' for a backslash"
    return snag.at, f"'{escape}' is not an escape that YAML knows", help_


def _bare_sign(snag: _Snag) -> _Told | None:
    if snag.first not in _SIGNS:
        return None
    return snag.began, f"'{snag.first}' starts {_SIGNS[snag.first]} in YAML, and this is none", _QUOTE_IT


def _after_document(snag: _Snag) -> _Told:
    if not snag.before.strip() and snag.line_above()[1] != "...":
        return snag.at, _FITS_NOWHERE, _ALIGN
    return snag.at, "unexpected text after the end of the document", _QUOTE_IT


#: Patterns over "context | problem", in libyaml's words or those of the pure Python reader; the first that fits tells.
_TELLERS: Final[tuple[tuple[str, Callable[[_Snag], _Told | None]], ...]] = (
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
