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

from dagrun.core.work import Attempt, AttemptResult, Blob, Command, Work
from dagrun.executors.local import commands
from dagrun.executors.local.commands import BadSurroundings, Spawn, ValueTooLarge, parse_outputs
from dagrun.executors.outputs import store
from dagrun.run_layout import AttemptPaths

MOST = 32 * 1024


def work(where: Path, **more: Any) -> Work:
    attempt = Attempt(run_id="r", task_id="t", number=1, timeout=None)
    parts: dict[str, Any] = {
        "attempt": attempt, "body": Command(argv=("sh", "-c"), script="true"), "params": {}, "upstream": {},
        "env": {}, "cwd": where, "max_output_bytes": 1 << 20,
    }  # fmt: skip
    return Work(**{**parts, **more})


def paths(its: Work) -> AttemptPaths:
    top = its.cwd
    return AttemptPaths(
        f"{top}/t.log", f"{top}/artifacts/t", f"{top}/outputs/t.1.json", f"{top}/scratch", str(top)
    )


def prepared(its: Work, body: Command) -> Spawn:
    return commands.prepared(its, paths(its), body)


def environment(its: Work, script: str = "") -> dict[str, str]:
    return commands.environment(its, paths(its), script)


def ended(its: Work, code: int, killed_by: str | None = None, **more: Any) -> AttemptResult:
    return commands.ended(its, paths(its), code, 0.1, killed_by, **more)


def clean(its: Work) -> None:
    commands.clean(its, paths(its))


def variables(where: Path, **params: Any) -> dict[str, str]:
    """The parameter variables that a script sees."""
    found = environment(work(where, params=params))
    return {key: value for key, value in found.items() if key.startswith("DAGRUN_PARAM_")}


def left(where: Path, text: str | bytes, code: int = 0, **more: Any) -> Any:
    """How a script ends that left `text` in $DAGRUN_OUTPUT."""
    its = work(where, **more)
    environment(its)
    data = text if isinstance(text, bytes) else text.encode()
    Path(f"{paths(its).scratch}.output").write_bytes(data)
    return ended(its, code)


# --- what it finds ---


def shell(script: str, **more: Any) -> Command:
    return Command(argv=("sh", "-e", "-c"), script=script, file_argv=("sh", "-e", "{0}"), **more)


def test_a_script_is_the_last_argument(tmp_path: Path) -> None:
    assert prepared(work(tmp_path), shell("echo hi")).argv == ["sh", "-e", "-c", "echo hi"]


@pytest.mark.parametrize("script", ["#" * (MOST + 1), "ü" * (MOST // 2 + 1)])
def test_a_long_script_is_a_file(tmp_path: Path, script: str) -> None:
    *argv, path = prepared(work(tmp_path), shell(script, suffix=".js")).argv
    assert (argv, path) == (["sh", "-e"], f"{tmp_path}/scratch.script.js")
    assert Path(path).read_bytes().decode() == script


def test_a_script_that_only_a_file_will_do_for_is_one(tmp_path: Path) -> None:
    body = Command(argv=None, file_argv=("awk", "--file={0}", "x"), script="BEGIN\r\n")
    assert prepared(work(tmp_path), body).argv == ["awk", f"--file={tmp_path}/scratch.script", "x"]
    assert (tmp_path / "scratch.script").read_bytes() == b"BEGIN\r\n"


def test_a_long_script_that_can_only_be_an_argument_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueTooLarge) as caught:
        prepared(work(tmp_path), Command(argv=("psql", "-c"), script="x" * 131_072))
    assert str(caught.value) == (
        "the script is 131,072 bytes long, and 'psql -c' takes it as one argument, of which the system takes at most "
        "131,071 bytes: leave out '-c', then the script comes as a file"
    )


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


def test_a_body_may_not_spoil_the_file_that_others_share(tmp_path: Path) -> None:
    shared = Path(environment(work(tmp_path))["DAGRUN_PARAMS_FILE"])
    shared.write_text('{"planted": 1}')
    environment(work(tmp_path))
    assert shared.read_text() == "{}"
    shared.unlink()
    shared.mkdir()
    assert Path(environment(work(tmp_path))["DAGRUN_PARAMS_FILE"]).read_text() == "{}"


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


def test_a_script_that_reads_a_variable_which_was_left_out_is_not_started(tmp_path: Path) -> None:
    its = work(tmp_path, params={"page": "x" * (MOST + 1)})
    with pytest.raises(ValueTooLarge) as caught:
        environment(its, 'echo "${DAGRUN_PARAM_PAGE:-}"')
    assert str(caught.value) == (
        "the script reads $DAGRUN_PARAM_PAGE, but its value of 32,769 bytes is too large for an environment variable "
        "(at most 32 KiB): read it from the file that $DAGRUN_PARAM_PAGE_FILE names"
    )


def test_a_script_that_looks_at_both_is_started(tmp_path: Path) -> None:
    its = work(tmp_path, params={"page": "x" * (MOST + 1)})
    found = environment(its, 'cat "$DAGRUN_PARAM_PAGE_FILE"; test -z "$DAGRUN_PARAM_PAGE"')
    assert Path(found["DAGRUN_PARAM_PAGE_FILE"]).stat().st_size == MOST + 1


def test_a_script_that_asks_for_the_file_of_a_small_value_gets_one(tmp_path: Path) -> None:
    found = environment(work(tmp_path, params={"page": "x"}), 'cat "$DAGRUN_PARAM_PAGE_FILE"')
    assert found["DAGRUN_PARAM_PAGE"] == "x"
    assert Path(found["DAGRUN_PARAM_PAGE_FILE"]).read_text() == "x"


def test_the_log_says_first_what_was_left_out(tmp_path: Path) -> None:
    its = work(tmp_path, params={f"p{i}": "x" * (MOST + 1) for i in range(5)})
    environment(its, "./other.sh")
    assert Path(paths(its).log).read_text() == (
        "dagrun: not set, as the environment cannot hold it: $DAGRUN_PARAM_P0, $DAGRUN_PARAM_P1, $DAGRUN_PARAM_P2 and 2 "
        "more (DAGRUN_PARAM_<NAME>_FILE names a file of each)\n"
    )


def test_the_log_says_which_variable_two_outputs_would_be(tmp_path: Path) -> None:
    its = work(tmp_path, upstream={"up": {"a-b": 1, "a.b": 2}})
    assert "DAGRUN_PARAM_UP__A_B" not in environment(its, "echo $DAGRUN_PARAM_UP__A_B")
    assert Path(paths(its).log).read_text() == (
        "dagrun: $DAGRUN_PARAM_UP__A_B is not set, as 'up__a-b' and 'up__a.b' would both be it; read $DAGRUN_PARAMS_FILE\n"
    )


def test_a_variable_that_no_system_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueTooLarge) as caught:
        environment(work(tmp_path, env={"X": "x" * 131_070}))
    assert str(caught.value) == (
        "the environment variable X takes 131,072 bytes with its name; the system takes at most 131,071: put its value "
        "into a file, or into `params`, which a script can read from $DAGRUN_PARAMS_FILE"
    )


def test_an_environment_that_is_too_large_in_all_names_the_largest_variable(tmp_path: Path) -> None:
    env = {f"X{i}": "x" * 100_000 for i in range(70)} | {"LARGEST": "x" * 100_001}
    with pytest.raises(ValueTooLarge, match=r"The largest variable is LARGEST: put its value into a file"):
        environment(work(tmp_path, env=env))


def test_a_large_environment_leaves_the_parameters_to_files(tmp_path: Path) -> None:
    env = {f"X{i}": "x" * 100_000 for i in range(3)}
    found = environment(work(tmp_path, env=env, params={"p": "v"}))
    assert "DAGRUN_PARAM_P" not in found
    assert json.loads(Path(found["DAGRUN_PARAMS_FILE"]).read_text()) == {"p": "v"}


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


def test_a_carriage_return_belongs_to_the_value(tmp_path: Path) -> None:
    assert left(tmp_path, b"a=1\r\nb<<E\nx\r\ny\nE\n").outputs == {"a": "1\r", "b": "x\r\ny"}


def test_a_command_that_fails_has_its_outputs_too(tmp_path: Path) -> None:
    end = left(tmp_path, "rows=3\n", code=7)
    assert (end.error, end.outputs, end.exit_code) == ("exit code 7", {"rows": "3"}, 7)


def test_large_outputs_of_a_command_that_fails_lie_in_a_file(tmp_path: Path) -> None:
    assert isinstance(left(tmp_path, "page=" + "x" * 70_000, code=1).outputs, Blob)


def test_a_command_that_fails_keeps_its_own_error_when_its_outputs_are_none(tmp_path: Path) -> None:
    end = left(tmp_path, "nonsense", code=7)
    assert (end.error, end.outputs) == ("exit code 7", {})
    assert (tmp_path / "t.log").read_text() == (
        "dagrun: its outputs are lost: line 1 of $DAGRUN_OUTPUT is neither key=value nor key<<END: 'nonsense'\n"
    )


def test_a_command_that_writes_nothing_has_none(tmp_path: Path) -> None:
    its = work(tmp_path)
    environment(its)
    assert ended(its, 0).outputs == {}


def test_a_command_that_fails_says_with_which_code(tmp_path: Path) -> None:
    end = ended(work(tmp_path), 7)
    assert (end.error, end.error_type, end.exit_code) == ("exit code 7", "CommandFailed", 7)


def test_a_command_that_is_killed_says_by_what(tmp_path: Path) -> None:
    end = ended(work(tmp_path), 139, "SIGSEGV")
    assert (end.error, end.error_type, end.exit_code) == ("killed by SIGSEGV", "Killed", 139)


def test_a_command_that_was_asked_to_end_and_ends_well_was_ended_all_the_same(tmp_path: Path) -> None:
    its = work(tmp_path)
    environment(its)
    Path(f"{paths(its).scratch}.output").write_text("rows=3")
    end = ended(its, 0, was_asked=True)
    assert (end.error, end.error_type, end.outputs) == ("ended by SIGTERM", "Terminated", {"rows": "3"})


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
    os.mkfifo(Path(f"{paths(its).scratch}.output"))
    assert ended(its, 0).error == "$DAGRUN_OUTPUT is no ordinary file any more"


def test_outputs_that_are_nested_too_deeply_fail_the_task(tmp_path: Path) -> None:
    end = left(tmp_path, '{"a": ' + "[" * 900 + "]" * 900 + "}", masks=("secret",))
    assert (end.error_type, end.outputs) == ("BadOutput", {})


@pytest.mark.parametrize(
    "text", ["page=" + "x" * 70_000, json.dumps({"page": "x" * 70_000}), "page=" + "\1" * 30_000]
)
def test_large_outputs_lie_in_a_file(tmp_path: Path, text: str) -> None:
    blob = left(tmp_path, text).outputs
    data = (tmp_path / "outputs" / "t.1.json").read_bytes()
    assert blob == Blob("t.1.json", len(data), hashlib.sha256(data).hexdigest())
    assert json.loads(data) == parse_outputs(text)


def test_nothing_of_the_attempts_own_stays(tmp_path: Path) -> None:
    body = shell("#" * (MOST + 1))
    its = work(tmp_path, params={"page": "x" * (MOST + 1)}, body=body)
    prepared(its, body)
    assert len(list(tmp_path.glob("scratch*"))) == 3
    clean(its)
    assert not list(tmp_path.glob("scratch*"))


def test_whatever_a_body_makes_of_its_files_they_go(tmp_path: Path) -> None:
    its = work(tmp_path, params={"p": 1})
    found = environment(its)
    Path(found["DAGRUN_PARAMS_FILE"]).unlink()
    for name in ("DAGRUN_OUTPUT", "DAGRUN_PARAMS_FILE"):
        Path(found[name], "inside").mkdir(parents=True)
    assert ended(its, 0).error == "$DAGRUN_OUTPUT is no ordinary file any more"
    clean(its)
    assert not list(tmp_path.glob("scratch*"))
