"""Findings as they are shown to people."""

from __future__ import annotations

import time

import pytest

from dagrun.documents.yaml import Finding, Place, Source, render
from dagrun.documents.yaml.rendering import excerpt
from dagrun.documents.yaml.text import SourceText


def test_a_finding_is_shown_whole() -> None:
    source = Source.inline("name: x\ntasks:\n  - id: b\n    depends_on: [x]\n", "flow.yaml")
    place = source.place(("tasks", 0, "depends_on"), key=True)
    finding = Finding(place, "Task 'b' depends on non-existent task 'x'", "unknown-task", "did you mean 'a'?")
    assert render(finding, source) == (
        "flow.yaml:4:5: error: Task 'b' depends on non-existent task 'x' [unknown-task]\n"
        "    4 |     depends_on: [x]\n"
        "      |     ^\n"
        "  help: did you mean 'a'?"
    )


def test_a_warning_of_another_file_is_shown_without_a_line() -> None:
    finding = Finding(Place("other.yaml", 3, 1), "odd", "odd", level="warning")
    assert render(finding, Source.inline("a: 1")) == "other.yaml:3:1: warning: odd [odd]"
    assert render(finding, None) == "other.yaml:3:1: warning: odd [odd]"


def shown_with_caret(text: str, column: int) -> str:
    return excerpt(Source.inline(text), Place("<inline>", 1, column))


@pytest.mark.parametrize(
    ("text", "column", "shown", "carets"),
    [
        ("a: bad", 4, "a: bad", "   ^"),
        ("a:\tbad", 4, "a:    bad", "      ^"),
        ("日本: bad", 5, "日本: bad", "      ^"),
        ("e\u0301: bad", 5, "e\u0301: bad", "   ^"),
        ("a\x1b[0m: bad", 8, r"a\x1b[0m: bad", "          ^"),
        ("a\u202eb: bad", 6, r"a\u202eb: bad", "          ^"),
        ("a:", 9, "a:", "  ^"),
    ],
)
def test_the_caret_is_under_its_character(text: str, column: int, shown: str, carets: str) -> None:
    assert shown_with_caret(text, column) == f"    1 | {shown}\n      | {carets}"


@pytest.mark.parametrize("column", [1, 30, 70, 500, 960, 1000, 1001])
def test_a_long_line_is_shortened_around_the_caret(column: int) -> None:
    line = "".join(chr(0x41 + n % 26) for n in range(1000))
    shown, carets = (row[8:] for row in shown_with_caret(line, column).split("\n"))
    assert 100 <= len(shown) <= 102
    assert shown.startswith("…") == (column > 60)
    assert shown.endswith("…") == (column <= 960)
    assert shown[len(carets) - 1 : len(carets)] == line[column - 1 : column]


def test_messages_cannot_move_the_cursor() -> None:
    finding = Finding(Place("a\n.yaml", 1, 1), "key '\x1b[2J'", "x", "say\a")
    assert render(finding, None) == "a\\n.yaml:1:1: error: key '\\x1b[2J' [x]\n  help: say\\x07"


def test_many_findings_in_one_long_line_are_shown_quickly() -> None:
    text = SourceText("x" * 20_000_000, "a.yaml")
    began = time.process_time()
    shown = [render(Finding(text.at(i * 10_000), "wrong", "code"), text) for i in range(1_000)]
    assert time.process_time() - began < 2
    assert max(map(len, shown)) < 400
