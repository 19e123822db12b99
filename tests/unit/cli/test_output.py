"""Printing for people and for scripts."""

from __future__ import annotations

import json
import sys

import pytest

from dagrun.cli import output
from dagrun.errors import RefusedError


def test_columns_are_aligned_and_a_long_cell_shifts_only_its_own_line() -> None:
    long = "x" * (output.WIDEST + 1)
    head, short, shifted = output.table_lines(("NAME", "STATE"), [("a", "ok"), (long, "ok")])
    assert head.index("STATE") == short.index("ok") == output.WIDEST + 2
    assert shifted == f"{long}  ok"


def test_a_cell_stays_on_its_line() -> None:
    assert list(output.table_lines(("A",), [("x\ny",)]))[1] == r"x\ny"


@pytest.mark.parametrize("words", [["-o", "json"], ["--output", "json"], ["-ojson"], ["a", "--output=json"]])
def test_json_is_requested_by_every_spelling(words: list[str]) -> None:
    assert output.wants_json(words)


@pytest.mark.parametrize("words", [[], ["-o", "text"], ["json"], ["--", "-o", "json"]])
def test_other_words_request_no_json(words: list[str]) -> None:
    assert not output.wants_json(words)


def test_json_has_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"text": "é\x1b[2J\u202e"})
    printed = capsys.readouterr().out
    assert printed == '{"text": "é\\u001b[2J\\u202e"}\n'
    assert json.loads(printed) == {"text": "é\x1b[2J\u202e"}


def test_a_large_text_is_printed_in_pieces(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json_text({"n": 1}, "text", iter(['a"', "\n"]))
    assert json.loads(capsys.readouterr().out) == {"n": 1, "text": 'a"\n'}


def test_an_error_has_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    problem = RefusedError("no\x1b[0m", hint="try again")
    output.error(problem, as_json=False)
    assert capsys.readouterr().err == "Error: no\\x1b[0m\n  try again\n"
    output.error(problem, as_json=True)
    assert json.loads(capsys.readouterr().out)["error"] == {
        "type": "RefusedError", "message": "no\x1b[0m", "hint": "try again",
    }  # fmt: skip


def test_an_unexpected_error_is_called_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    output.bug(KeyError("x"))
    assert "this is a bug in dagrun; `--debug` shows the traceback" in capsys.readouterr().err


def test_nothing_is_painted_where_there_is_no_terminal() -> None:
    assert output.paint("x", "success") == "x"


@pytest.mark.parametrize(("columns", "width"), [("120", 120), ("0", 80), ("x", 80), ("99999999", 80)])
def test_an_impossible_size_of_a_terminal_is_ignored(
    monkeypatch: pytest.MonkeyPatch, columns: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert output.console(sys.stdout).width == width
