"""A shell task's surroundings: what it finds, and what it leaves in $DAGRUN_OUTPUT."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.executors.commands import BadSurroundings, clean, ended, environment, parse_outputs, script_argv
from dagrun.executors.outputs import store
from dagrun.work import Attempt, Blob, Command, Work

MOST = 32 * 1024


def work(where: Path, **more: Any) -> Work:
    attempt = Attempt(
        run_id="r", task_id="t", number=1, timeout=None, log=f"{where}/t.log", artifacts=f"{where}/artifacts/t",
        outputs=f"{where}/outputs/t.1.json", scratch=f"{where}/scratch", directory=str(where),
    )  # fmt: skip
    parts: dict[str, Any] = {
        "attempt": attempt, "body": Command(argv=("sh", "-c"), script="true"), "params": {}, "upstream": {},
        "env": {}, "cwd": where, "max_output_bytes": 1 << 20,
    }  # fmt: skip
    return Work(**{**parts, **more})


def variables(where: Path, **params: Any) -> dict[str, str]:
    """The parameter variables that a script sees."""
    found = environment(work(where, params=params))
    return {key: value for key, value in found.items() if key.startswith("DAGRUN_PARAM_")}


def left(where: Path, text: str | bytes, **more: Any) -> Any:
    """How a script ends that left `text` in $DAGRUN_OUTPUT."""
    its = work(where, **more)
    environment(its)
    data = text if isinstance(text, bytes) else text.encode()
    Path(f"{its.attempt.scratch}.output").write_bytes(data)
    return ended(its, 0, 0.1, None)


# --- what it finds ---


def test_a_script_is_the_last_argument() -> None:
    assert script_argv(Command(argv=("sh", "-e", "-c"), script="echo hi")) == ["sh", "-e", "-c", "echo hi"]


def test_parameters_are_variables_in_upper_case(tmp_path: Path) -> None:
    assert variables(tmp_path, region="eu", **{"a-b.c": "x", "up__k": "y"}) == {
        "DAGRUN_PARAM_REGION": "eu",
        "DAGRUN_PARAM_A_B_C": "x",
        "DAGRUN_PARAM_UP__K": "y",
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [("3.10", "3.10"), (3, "3"), (True, "true"), (None, "null"), ({"k": ["ä"]}, '{"k": ["ä"]}'), ("", "")],
)
def test_text_stays_text_and_the_rest_is_json(tmp_path: Path, value: Any, text: str) -> None:
    assert variables(tmp_path, p=value) == {"DAGRUN_PARAM_P": text}


def test_all_of_them_lie_in_a_file_as_json(tmp_path: Path) -> None:
    found = environment(work(tmp_path, params={"n": 3}, upstream={"up": {"k": "v"}}))
    assert json.loads(Path(found["DAGRUN_PARAMS_FILE"]).read_text()) == {"n": 3, "up__k": "v"}


def test_an_upstream_value_wins(tmp_path: Path) -> None:
    found = environment(work(tmp_path, params={"up__k": "mine"}, upstream={"up": {"k": "theirs"}}))
    assert found["DAGRUN_PARAM_UP__K"] == "theirs"


def test_outputs_that_lie_in_a_file_are_read_from_it(tmp_path: Path) -> None:
    blob = store(tmp_path / "outputs" / "up.1.json", b'{"k": "large"}')
    found = environment(work(tmp_path, upstream={"up": blob}))
    assert found["DAGRUN_PARAM_UP__K"] == "large"


def test_the_tasks_own_environment_is_there(tmp_path: Path) -> None:
    assert environment(work(tmp_path, env={"LANG": "C"}))["LANG"] == "C"


@pytest.mark.parametrize(("size", "large"), [(MOST, False), (MOST + 1, True)])
def test_a_value_over_32_kib_lies_in_a_file(tmp_path: Path, size: int, large: bool) -> None:
    found = variables(tmp_path, page="x" * size)
    assert list(found) == ["DAGRUN_PARAM_PAGE_FILE" if large else "DAGRUN_PARAM_PAGE"]
    if large:
        assert Path(found["DAGRUN_PARAM_PAGE_FILE"]).read_text() == "x" * size


def test_bytes_count_not_characters(tmp_path: Path) -> None:
    assert list(variables(tmp_path, page="ä" * (MOST // 2 + 1))) == ["DAGRUN_PARAM_PAGE_FILE"]


def test_a_large_value_may_have_a_long_name(tmp_path: Path) -> None:
    (variable,) = variables(tmp_path, **{"n" * 400: "x" * (MOST + 1)}).values()
    assert Path(variable).stat().st_size == MOST + 1


def test_a_value_that_no_variable_can_hold_lies_in_a_file(tmp_path: Path) -> None:
    (variable,) = variables(tmp_path, p="a\0b").values()
    assert Path(variable).read_bytes() == b"a\0b"


def test_half_a_surrogate_pair_from_an_upstream_does_no_harm(tmp_path: Path) -> None:
    found = environment(work(tmp_path, upstream={"up": {"k": "a\ud800"}}))
    assert found["DAGRUN_PARAM_UP__K"] == "a?"
    assert json.loads(Path(found["DAGRUN_PARAMS_FILE"]).read_text()) == {"up__k": "a\ud800"}


@pytest.mark.parametrize(
    ("params", "variable"),
    [
        ({"a-b": 1, "a.b": 2}, "DAGRUN_PARAM_A_B"),
        ({"x": 1, "X": 2}, "DAGRUN_PARAM_X"),
        ({"x": "y" * (MOST + 1), "x_file": 2}, "DAGRUN_PARAM_X_FILE"),
        ({"x_file": 2, "x": "y" * (MOST + 1)}, "DAGRUN_PARAM_X_FILE"),
    ],
)
def test_two_parameters_never_share_a_variable(tmp_path: Path, params: dict[str, Any], variable: str) -> None:
    one, other = params
    message = f"parameters '{one}' and '{other}' would both be ${variable}; rename one"
    with pytest.raises(BadSurroundings) as caught:
        environment(work(tmp_path, params=params))
    assert str(caught.value) == message


def test_an_environment_that_no_system_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSurroundings, match="the environment variable X holds a NUL character"):
        environment(work(tmp_path, env={"X": "a\0b"}))


# --- what it leaves ---


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
            "$DAGRUN_OUTPUT begins like a JSON object but is none: Extra data: line 1 column 10",
        ),
        ("{a=1}", "$DAGRUN_OUTPUT begins like a JSON object but is none: Expecting property name"),
        ('{"a": NaN}', "$DAGRUN_OUTPUT begins like a JSON object but is none: NaN is not JSON"),
        ('{"a":' * 100_000, "$DAGRUN_OUTPUT begins like a JSON object but is none: "),
    ],
    ids=range(9),
)
def test_what_is_none_of_these_is_told_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(BadSurroundings) as caught:
        parse_outputs(text)
    assert str(caught.value).startswith(problem)


@given(st.dictionaries(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", fullmatch=True), st.text()))
def test_any_object_of_texts_survives_as_json(outputs: dict[str, str]) -> None:
    assert parse_outputs(json.dumps(outputs)) == outputs


def test_a_command_that_ends_well_has_its_outputs(tmp_path: Path) -> None:
    end = left(tmp_path, "rows=3\n")
    assert (end.error, end.outputs, end.changed, end.exit_code) == (None, {"rows": "3"}, True, 0)


def test_a_command_that_writes_nothing_has_none(tmp_path: Path) -> None:
    its = work(tmp_path)
    environment(its)
    assert ended(its, 0, 0.1, None).outputs == {}


def test_a_command_that_fails_says_with_which_code(tmp_path: Path) -> None:
    end = ended(work(tmp_path), 7, 0.1, None)
    assert (end.error, end.error_type, end.exit_code) == ("exit code 7", "CommandFailed", 7)


def test_a_command_that_is_killed_says_by_what(tmp_path: Path) -> None:
    end = ended(work(tmp_path), 139, 0.1, "SIGSEGV")
    assert (end.error, end.error_type, end.exit_code) == ("killed by SIGSEGV", "Killed", 139)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("nonsense", "line 1 of $DAGRUN_OUTPUT is neither key=value nor key<<END: 'nonsense'"),
        (b"a=\xff", "$DAGRUN_OUTPUT is not UTF-8 (byte 2)"),
        (b"x" * 101, "$DAGRUN_OUTPUT holds 101 bytes; at most 100 are allowed (max_output_bytes)"),
        (
            '{"a": 1e999}',
            "output 'a' is not JSON-serialisable: Out of range float values are not JSON compliant",
        ),
        ('{"a": "\\ud800"}', "output 'a' is not JSON-serialisable: it holds half a surrogate pair"),
    ],
)
def test_outputs_that_are_none_fail_the_task(tmp_path: Path, text: str | bytes, error: str) -> None:
    end = left(tmp_path, text, max_output_bytes=100)
    assert end.error_type == "BadOutput"
    assert end.error.startswith(error)


def test_an_output_file_that_is_no_file_fails_the_task(tmp_path: Path) -> None:
    its = work(tmp_path)
    environment(its)
    os.mkfifo(Path(f"{its.attempt.scratch}.output"))
    assert ended(its, 0, 0.1, None).error == "$DAGRUN_OUTPUT is no ordinary file any more"


@pytest.mark.parametrize(
    "text", ["page=" + "x" * 70_000, json.dumps({"page": "x" * 70_000}), "page=" + "\1" * 30_000]
)
def test_large_outputs_lie_in_a_file(tmp_path: Path, text: str) -> None:
    blob = left(tmp_path, text).outputs
    data = (tmp_path / "outputs" / "t.1.json").read_bytes()
    assert blob == Blob("t.1.json", len(data), hashlib.sha256(data).hexdigest())
    assert json.loads(data) == parse_outputs(text)


def test_nothing_of_the_attempts_own_stays(tmp_path: Path) -> None:
    its = work(tmp_path, params={"page": "x" * (MOST + 1)})
    environment(its)
    clean(its)
    assert not list(tmp_path.glob("scratch*"))
