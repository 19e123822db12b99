"""Syntax errors, explained in words."""

from __future__ import annotations

import pytest

from tests.unit.documents.yaml.helpers import findings


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("a:\n\tb: 1", "2:1", "a tab is used for indentation"),
        ("a:\n  b: 1\n\tc: 2", "3:1", "a tab is used for indentation"),
        ("a: |\n\tx", "2:1", "a tab is used for indentation"),
        ("run: echo: hi", "1:10", "the value contains ': ', which starts another mapping"),
        ("a: 1\nb\nc: 2", "2:1", "a ':' is missing after 'b'"),
        ("a:\n  b:1\n  c: 2", "3:4", "a ':' is missing on line 2, or this line is indented too far"),
        ("a: 1\n  b: 2", "2:4", "this line is indented deeper than line 1, which already has a value"),
        ("- id a\n  b: 1", "2:4", "a ':' is missing on line 1, or this line is indented too far"),
        ("- id:a\n  b: 1", "2:4", "a ':' is missing on line 1, or this line is indented too far"),
        ("-id: a\n b: 1", "2:3", "a space is missing on line 1, or this line is indented too far"),
        ("- id: a\n   b: 1", "2:5", "this line is indented deeper than line 1, which already has a value"),
        ("a:\n  b: 1\n c: 2", "3:2", "the indentation of this line matches none of the lines above"),
        ("  a: 1\nb: 2", "2:1", "the indentation of this line matches none of the lines above"),
        ("t:\n  - id: a\n  run: b", "3:3", "a key is between the items of a list"),
        ("a: 1\n- b", "2:1", "a list item is between the keys of a mapping"),
        ("a: [1, 2", "1:4", "'[' is never closed"),
        ("a: {", "1:4", "'{' is never closed"),
        ("a: [1, 2\nb: 3\n", "1:4", "'[' is not closed before line 2"),
        ("a: [1, 2}", "1:9", "expected ',' or ']' here"),
        ("a: [1]]", "1:7", "']' closes nothing"),
        ("a: ]", "1:4", "a value cannot start with ']'"),
        ("a: [1,", "1:7", "the text ends where a value is expected"),
        ("a: 'b\nc: d", "1:4", "the quote ' is never closed"),
        ("a: 'it's'", "1:8", "unexpected text after the value"),
        ("[a] b", "1:5", "unexpected text after the end of the document"),
        ("a: @b", "1:4", "a value cannot start with '@' unless it is quoted"),
        ("a: {b: |\n  c}", "1:8", "a block of lines ('|') is not allowed inside { } or [ ]"),
        ("a: *.txt", "1:4", "'*' starts an alias in YAML, but this is not one"),
        ("a: - b", "1:4", "a list item cannot start in the middle of a line"),
        (r'a: "\d"', "1:5", r"'\d' is not an escape that YAML knows"),
        ("a: !x!y z", "1:4", "found undefined tag handle while parsing a node"),
        ("a: \x07", "1:4", "character U+0007 is not allowed in YAML"),
        ("é: 1\na\0", "2:2", "character U+0000 is not allowed in YAML"),
        ("a: \ud800", "1:4", "character U+D800 is not allowed in YAML"),
        ("é: 😀 x: y", "1:7", "the value contains ': ', which starts another mapping"),
        ("\ufeffé: b: y", "1:5", "the value contains ': ', which starts another mapping"),
    ],
)
def test_a_syntax_error_is_explained(text: str, at: str, message: str) -> None:
    finding = findings(text)[-1]
    assert (f"{finding.place.line}:{finding.place.column}", finding.message) == (at, message)


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("a:\n\tb: 1", "YAML does not allow tabs for indentation; use spaces"),
        ("- a\n-b\n", "put a space after '-'"),
        ("a:\n  b:1\n  c: 2", "put a space after ':'"),
        ("- b:1\n  c: 2", "put a space after ':'"),
        ("-b: 1\n c: 2", "put a space after '-'"),
        ("a\nb: 1", "write 'key: value'"),
        ("a: {{ x }}", "put text that starts with '{' or '[' in quotes"),
        ("a: [1", "add ']'"),
        ("a: {b: >\n  c}", "put it in quotes, or write each key on its own line"),
        ("a: \x1b", r'write "\x1b" inside double quotes'),
    ],
)
def test_a_finding_says_what_to_do(text: str, suggestion: str) -> None:
    assert findings(text)[0].suggestion == suggestion
