"""What a command gets: its command line, its variables and its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dagrun.core.work import Attempt, Command, Work
from dagrun.executors.local import commands
from dagrun.executors.local.commands import BadSurroundings, Spawn, ValueTooLarge
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


def clean(its: Work) -> None:
    commands.clean(its, paths(its))


def variables(where: Path, **params: Any) -> dict[str, str]:
    """The parameter variables of a script."""
    found = environment(work(where, params=params))
    return {key: value for key, value in found.items() if key.startswith("DAGRUN_PARAM_")}


def shell(script: str, **more: Any) -> Command:
    return Command(argv=("sh", "-e", "-c"), script=script, file_argv=("sh", "-e", "{0}"), **more)


def test_a_script_is_the_last_argument(tmp_path: Path) -> None:
    assert prepared(work(tmp_path), shell("echo hi")).argv == ["sh", "-e", "-c", "echo hi"]


@pytest.mark.parametrize("script", ["#" * (MOST + 1), "ü" * (MOST // 2 + 1)])
def test_a_long_script_is_a_file(tmp_path: Path, script: str) -> None:
    *argv, path = prepared(work(tmp_path), shell(script, suffix=".js")).argv
    assert (argv, path) == (["sh", "-e"], f"{tmp_path}/scratch.script.js")
    assert Path(path).read_bytes().decode() == script


def test_an_interpreter_that_reads_files_only_gets_a_file(tmp_path: Path) -> None:
    body = Command(argv=None, file_argv=("awk", "--file={0}", "x"), script="BEGIN\r\n")
    assert prepared(work(tmp_path), body).argv == ["awk", f"--file={tmp_path}/scratch.script", "x"]
    assert (tmp_path / "scratch.script").read_bytes() == b"BEGIN\r\n"


def test_a_long_script_that_can_only_be_an_argument_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueTooLarge) as caught:
        prepared(work(tmp_path), Command(argv=("psql", "-c"), script="x" * 131_072))
    assert str(caught.value) == (
        "the script is 131,072 bytes long, and 'psql -c' takes it as one argument, for which the system accepts at most "
        "131,071 bytes: leave out '-c', then the script is passed as a file"
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


def test_all_parameters_are_in_a_file_as_json(tmp_path: Path) -> None:
    found = environment(work(tmp_path, params={"n": 3}, upstream={"up": {"k": "v"}}))
    assert json.loads(Path(found["DAGRUN_PARAMS_FILE"]).read_text()) == {"n": 3, "up__k": "v"}


def test_a_shared_file_that_a_body_has_changed_is_restored(tmp_path: Path) -> None:
    shared = Path(environment(work(tmp_path))["DAGRUN_PARAMS_FILE"])
    shared.write_text('{"planted": 1}')
    environment(work(tmp_path))
    assert shared.read_text() == "{}"
    shared.unlink()
    shared.mkdir()
    assert Path(environment(work(tmp_path))["DAGRUN_PARAMS_FILE"]).read_text() == "{}"


def test_an_upstream_value_takes_precedence(tmp_path: Path) -> None:
    found = environment(work(tmp_path, params={"up__k": "mine"}, upstream={"up": {"k": "theirs"}}))
    assert found["DAGRUN_PARAM_UP__K"] == "theirs"


def test_outputs_in_a_file_are_read_from_it(tmp_path: Path) -> None:
    blob = store(tmp_path / "outputs" / "up.1.json", b'{"k": "large"}')
    found = environment(work(tmp_path, upstream={"up": blob}))
    assert found["DAGRUN_PARAM_UP__K"] == "large"


def test_the_environment_of_the_task_is_passed_on(tmp_path: Path) -> None:
    assert environment(work(tmp_path, env={"LANG": "C"}))["LANG"] == "C"


@pytest.mark.parametrize(("size", "large"), [(MOST, False), (MOST + 1, True)])
def test_a_value_over_32_kib_gets_a_file(tmp_path: Path, size: int, large: bool) -> None:
    found = variables(tmp_path, page="x" * size)
    assert list(found) == ["DAGRUN_PARAM_PAGE_FILE" if large else "DAGRUN_PARAM_PAGE"]
    if large:
        assert Path(found["DAGRUN_PARAM_PAGE_FILE"]).read_text() == "x" * size


def test_bytes_count_not_characters(tmp_path: Path) -> None:
    assert list(variables(tmp_path, page="ä" * (MOST // 2 + 1))) == ["DAGRUN_PARAM_PAGE_FILE"]


def test_a_large_value_may_have_a_long_name(tmp_path: Path) -> None:
    (variable,) = variables(tmp_path, **{"n" * 400: "x" * (MOST + 1)}).values()
    assert Path(variable).stat().st_size == MOST + 1


def test_a_value_with_a_nul_character_gets_a_file(tmp_path: Path) -> None:
    (variable,) = variables(tmp_path, p="a\0b").values()
    assert Path(variable).read_bytes() == b"a\0b"


def test_half_a_surrogate_pair_from_an_upstream_is_replaced(tmp_path: Path) -> None:
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


def test_a_script_that_uses_both_the_variable_and_its_file_is_started(tmp_path: Path) -> None:
    its = work(tmp_path, params={"page": "x" * (MOST + 1)})
    found = environment(its, 'cat "$DAGRUN_PARAM_PAGE_FILE"; test -z "$DAGRUN_PARAM_PAGE"')
    assert Path(found["DAGRUN_PARAM_PAGE_FILE"]).stat().st_size == MOST + 1


def test_a_script_that_asks_for_the_file_of_a_small_value_gets_one(tmp_path: Path) -> None:
    found = environment(work(tmp_path, params={"page": "x"}), 'cat "$DAGRUN_PARAM_PAGE_FILE"')
    assert found["DAGRUN_PARAM_PAGE"] == "x"
    assert Path(found["DAGRUN_PARAM_PAGE_FILE"]).read_text() == "x"


def test_the_log_names_the_variables_that_were_left_out(tmp_path: Path) -> None:
    its = work(tmp_path, params={f"p{i}": "x" * (MOST + 1) for i in range(5)})
    environment(its, "./other.sh")
    assert Path(paths(its).log).read_text() == (
        "dagrun: not set, as the environment cannot hold it: $DAGRUN_PARAM_P0, $DAGRUN_PARAM_P1, $DAGRUN_PARAM_P2 and 2 "
        "more (DAGRUN_PARAM_<NAME>_FILE names a file of each)\n"
    )


def test_the_log_names_a_variable_that_two_outputs_would_have(tmp_path: Path) -> None:
    its = work(tmp_path, upstream={"up": {"a-b": 1, "a.b": 2}})
    assert "DAGRUN_PARAM_UP__A_B" not in environment(its, "echo $DAGRUN_PARAM_UP__A_B")
    assert Path(paths(its).log).read_text() == (
        "dagrun: $DAGRUN_PARAM_UP__A_B is not set, as both 'up__a-b' and 'up__a.b' would be in it; read $DAGRUN_PARAMS_FILE\n"
    )


def test_a_variable_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueTooLarge) as caught:
        environment(work(tmp_path, env={"X": "x" * 131_070}))
    assert str(caught.value) == (
        "the environment variable X takes 131,072 bytes with its name; the system accepts at most 131,071: put its value "
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


def test_a_variable_with_a_nul_character_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSurroundings, match="the environment variable X has a NUL character"):
        environment(work(tmp_path, env={"X": "a\0b"}))


def test_the_attempts_own_files_are_removed(tmp_path: Path) -> None:
    body = shell("#" * (MOST + 1))
    its = work(tmp_path, params={"page": "x" * (MOST + 1)}, body=body)
    prepared(its, body)
    assert len(list(tmp_path.glob("scratch*"))) == 3
    clean(its)
    assert not list(tmp_path.glob("scratch*"))


def test_files_that_a_body_has_replaced_are_removed_too(tmp_path: Path) -> None:
    its = work(tmp_path, params={"p": 1})
    found = environment(its)
    Path(found["DAGRUN_PARAMS_FILE"]).unlink()
    for name in ("DAGRUN_OUTPUT", "DAGRUN_PARAMS_FILE"):
        Path(found[name], "inside").mkdir(parents=True)
    clean(its)
    assert not list(tmp_path.glob("scratch*"))
