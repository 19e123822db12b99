"""The end of a command: its exit code, and its outputs from $DAGRUN_OUTPUT in every format."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.core.work import AttemptResult, Blob, Command, Work
from dagrun.executors.local import command_outputs, commands
from dagrun.executors.local.command_outputs import BadOutputFile, parse_outputs
from dagrun.run_layout import AttemptPaths, RunLayout
from tests.contract import harness

MOST = 32 * 1024


def work(where: Path, **more: Any) -> Work:
    parts: dict[str, Any] = {"max_output_bytes": 1 << 20, **more}
    return harness.work(where, Command(argv=("sh", "-c"), script="true"), **parts)


def paths(its: Work) -> AttemptPaths:
    return RunLayout(its.cwd).attempt("t", 1)


def environment(its: Work) -> dict[str, str]:
    return commands.environment(its, paths(its))


def ended(its: Work, code: int, killed_by: str | None = None, **more: Any) -> AttemptResult:
    harness.paths(its.cwd, its)
    return command_outputs.ended(its, paths(its), code, 0.1, killed_by, **more)


def left(where: Path, text: str | bytes, code: int = 0, **more: Any) -> Any:
    """The end of a script that wrote `text` to $DAGRUN_OUTPUT."""
    its = work(where, **more)
    environment(its)
    data = text if isinstance(text, bytes) else text.encode()
    Path(f"{paths(its).scratch}.output").write_bytes(data)
    return ended(its, code)


@pytest.mark.parametrize(
    ("text", "outputs"),
    [
        ("", {}),
        ("\n \n", {}),
        ("a=1\nb=x=y\n", {"a": "1", "b": "x=y"}),
        ("a=\n", {"a": ""}),
        ("a=1\na=2", {"a": "2"}),
        ("a-b.c_d=1", {"a-b.c_d": "1"}),
        ("text<<EOF\none\n\ntwo=2\nEOF\nn=1\n", {"text": "one\n\ntwo=2", "n": "1"}),
        ("empty<<X\nX\n", {"empty": ""}),
        ('{"n": 1, "list": [true, null]}', {"n": 1, "list": [True, None]}),
        ('\n  {\n"a": "b"\n}\n', {"a": "b"}),
        ("{}", {}),
        ("a=1\r\nb=\r\n", {"a": "1\r", "b": "\r"}),
        ("a=one\rtwo\x0b\x85\u2028three\n", {"a": "one\rtwo\x0b\x85\u2028three"}),
        ("text<<EOF\none\r\ntwo\r\nEOF\n", {"text": "one\r\ntwo\r"}),
        ("text<<EOF\r\none\r\nEOF\r\n", {"text": "one\r"}),
        ('{"a": "one\\r\\n"}\r\n', {"a": "one\r\n"}),
    ],
)
def test_outputs_are_pairs_blocks_or_one_json_object(text: str, outputs: dict[str, Any]) -> None:
    assert parse_outputs(text) == outputs


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a=1\nhello world\n", "line 2 of $DAGRUN_OUTPUT is neither key=value nor key<<END: 'hello world'"),
        ("=1", "line 1 of $DAGRUN_OUTPUT is neither key=value nor key<<END: '=1'"),
        ("a b=1", "line 1 of $DAGRUN_OUTPUT is neither key=value nor key<<END: 'a b=1'"),
        ("a=1\nb<<END\nx\n", "the block that begins in line 2 of $DAGRUN_OUTPUT has no closing line 'END'"),
        ("[1]", "line 1 of $DAGRUN_OUTPUT is neither key=value nor key<<END: '[1]'"),
        (
            '{"a": 1} {"b": 2}',
            "$DAGRUN_OUTPUT begins like a JSON object but is not one: Extra data: line 1 column 10",
        ),
        ("{a=1}", "$DAGRUN_OUTPUT begins like a JSON object but is not one: Expecting property name"),
        ('{"a": NaN}', "$DAGRUN_OUTPUT begins like a JSON object but is not one: NaN is not JSON"),
        ('{"a":' * 100_000, "$DAGRUN_OUTPUT begins like a JSON object but is not one: "),
    ],
    ids=range(9),
)
def test_any_other_line_is_an_error_with_its_number(text: str, problem: str) -> None:
    with pytest.raises(BadOutputFile) as caught:
        parse_outputs(text)
    assert str(caught.value).startswith(problem)


@given(st.dictionaries(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", fullmatch=True), st.text()))
def test_any_object_of_texts_survives_as_json(outputs: dict[str, str]) -> None:
    assert parse_outputs(json.dumps(outputs)) == outputs


def test_a_command_that_succeeds_has_its_outputs(tmp_path: Path) -> None:
    end = left(tmp_path, "rows=3\n")
    assert (end.error, end.outputs, end.changed, end.exit_code) == (None, {"rows": "3"}, True, 0)


def test_a_carriage_return_belongs_to_the_value(tmp_path: Path) -> None:
    assert left(tmp_path, b"a=1\r\nb<<E\nx\r\ny\nE\n").outputs == {"a": "1\r", "b": "x\r\ny"}


def test_a_command_that_fails_has_its_outputs_too(tmp_path: Path) -> None:
    end = left(tmp_path, "rows=3\n", code=7)
    assert (end.error, end.outputs, end.exit_code) == ("exit code 7", {"rows": "3"}, 7)


def test_large_outputs_of_a_command_that_fails_are_in_a_file(tmp_path: Path) -> None:
    assert isinstance(left(tmp_path, "page=" + "x" * 70_000, code=1).outputs, Blob)


def test_a_command_that_fails_keeps_its_own_error_when_its_outputs_cannot_be_read(tmp_path: Path) -> None:
    end = left(tmp_path, "nonsense", code=7)
    assert (end.error, end.outputs) == ("exit code 7", {})
    assert (tmp_path / "logs" / "t.1.log").read_text() == (
        "dagrun: its outputs are lost: line 1 of $DAGRUN_OUTPUT is neither key=value nor key<<END: 'nonsense'\n"
    )


def test_a_command_that_writes_nothing_has_no_outputs(tmp_path: Path) -> None:
    its = work(tmp_path)
    environment(its)
    assert ended(its, 0).outputs == {}


def test_a_command_that_fails_has_its_exit_code(tmp_path: Path) -> None:
    end = ended(work(tmp_path), 7)
    assert (end.error, end.error_type, end.exit_code) == ("exit code 7", "CommandFailed", 7)


def test_a_command_that_is_killed_names_the_signal(tmp_path: Path) -> None:
    end = ended(work(tmp_path), 139, "SIGSEGV")
    assert (end.error, end.error_type, end.exit_code) == ("killed by SIGSEGV", "Killed", 139)


def test_a_command_that_was_stopped_has_failed_even_with_exit_code_0(tmp_path: Path) -> None:
    its = work(tmp_path)
    environment(its)
    Path(f"{paths(its).scratch}.output").write_text("rows=3")
    end = ended(its, 0, was_stopped=True)
    assert (end.error, end.error_type, end.outputs) == ("ended by SIGTERM", "Terminated", {"rows": "3"})


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("nonsense", "line 1 of $DAGRUN_OUTPUT is neither key=value nor key<<END: 'nonsense'"),
        (b"a=\xff", "$DAGRUN_OUTPUT is not UTF-8 (byte 2)"),
        (b"x" * 101, "$DAGRUN_OUTPUT has 101 bytes; at most 100 are allowed (max_output_bytes)"),
        (
            '{"a": 1e999}',
            "output 'a' is not JSON-serialisable: Out of range float values are not JSON compliant",
        ),
        ('{"a": "\\ud800"}', "output 'a' is not JSON-serialisable: it has half a surrogate pair"),
    ],
)
def test_outputs_that_cannot_be_read_fail_the_attempt(tmp_path: Path, text: str | bytes, error: str) -> None:
    end = left(tmp_path, text, max_output_bytes=100)
    assert end.error_type == "BadOutput"
    assert end.error.startswith(error)


def test_an_output_file_that_is_a_pipe_fails_the_attempt(tmp_path: Path) -> None:
    its = work(tmp_path)
    environment(its)
    os.mkfifo(Path(f"{paths(its).scratch}.output"))
    assert ended(its, 0).error == "$DAGRUN_OUTPUT is not an ordinary file any more"


def test_outputs_that_are_nested_too_deeply_fail_the_attempt(tmp_path: Path) -> None:
    end = left(tmp_path, '{"a": ' + "[" * 900 + "]" * 900 + "}", masks=("secret",))
    assert (end.error_type, end.outputs) == ("BadOutput", {})


@pytest.mark.parametrize(
    "text", ["page=" + "x" * 70_000, json.dumps({"page": "x" * 70_000}), "page=" + "\1" * 30_000]
)
def test_large_outputs_are_in_a_file(tmp_path: Path, text: str) -> None:
    blob = left(tmp_path, text).outputs
    data = (tmp_path / "outputs" / "t.1.json").read_bytes()
    assert blob == Blob("t.1.json", len(data), hashlib.sha256(data).hexdigest())
    assert json.loads(data) == parse_outputs(text)


def test_an_output_file_that_a_body_has_replaced_with_a_directory_fails_the_attempt(tmp_path: Path) -> None:
    its = work(tmp_path)
    Path(environment(its)["DAGRUN_OUTPUT"]).mkdir()
    assert ended(its, 0).error == "$DAGRUN_OUTPUT is not an ordinary file any more"
