"""The names that expressions can read at each place of a document."""

from __future__ import annotations

import time
from typing import Any

import pytest

from dagrun.core.model import Matrix
from dagrun.documents.dialects import detect
from dagrun.documents.validation.expressions import check_expressions
from dagrun.documents.yaml import Source
from dagrun.value import replace
from tests.unit.harness import reported, shown

MATRIX = Matrix(axes={"os": ("ubuntu",)}, include=({"os": "ubuntu", "slow": True},))


def found(task: str, **more: Any) -> list[str]:
    """What is wrong with a task that has a matrix or a list."""
    text = f"name: d\ntasks:\n  - {{id: t, {task}}}\n"
    source = Source.inline(text, "dag.yaml")
    written = detect.to_dag(source.load(), source, "d")
    (only,) = written.dag.tasks
    written = replace(written, dag=replace(written.dag, tasks=(replace(only, **more),)))
    return [finding.message for finding in check_expressions(written)]


EVERYWHERE = (
    'run: "echo ${{ X }}"',
    'run: x, if: "!X"',
    'run: x, unless: "!X"',
    'run: x, params: {p: "${{ X }}"}',
    'run: x, env: {E: "${{ X }}"}',
    'run: x, artifacts: ["out/${{ X }}.txt"]',
    'run: x, working_dir: "out/${{ X }}"',
)


@pytest.mark.parametrize("place", EVERYWHERE)
def test_matrix_and_item_exist_only_in_tasks_with_variants(place: str) -> None:
    for name in ("matrix.os", "matrix.slow"):
        assert found(place.replace("X", name), matrix=MATRIX) == []
    assert found(place.replace("X", "item.k"), for_each=("a",)) == []
    assert found(place.replace("X", "matrix.os")) == ["'matrix' exists only in a task that has one"]
    assert found(place.replace("X", "item"), matrix=MATRIX) == [
        "'item' exists only in a task with 'for_each'"
    ]
    assert found(place.replace("X", "matrix.so"), matrix=MATRIX) == ["the matrix has no key 'so'"]


@pytest.mark.parametrize(
    ("task", "help"),
    [
        ("matrix: {os: [a]}, run: 'echo ${{ item }}'", "a task with 'matrix' has `matrix.<axis>`"),
        ("for_each: [a], run: 'echo ${{ matrix.os }}'", "a task with 'for_each' has `item`"),
    ],
)
def test_matrix_and_item_in_the_wrong_task_get_advice(task: str, help: str) -> None:
    assert reported(f"tasks: [{{id: a, {task}}}]").splitlines()[-1] == f"  help: {help}"


@pytest.mark.parametrize("root", ["github", "env"])
def test_a_variable_is_text_without_fields(root: str) -> None:
    assert found(f"""run: x, if: "{root}.event_name == '1'" """) == []
    assert found(f'run: x, if: "{root}.event_name == 1"') == [
        "'==' compares a text with a number, which are never equal"
    ]
    assert found(f'run: x, if: "{root}.event.name == 1"') == [
        f"'{root}.event' is text: there is no 'name' in it"
    ]


# --- what could reach a secret -----------------------------------------------------------------------------------

SECRETIVE = """
name: d
secrets: [S]
params: {{p: A}}
env: {{DOC: "${{{{ secrets.S }}}}"}}
tasks:
  - {{id: t, env: {{A: "${{{{ secrets.S }}}}"}}, {}}}
"""
BY_NAME = "an expression can read 'env' only by a literal name"


@pytest.mark.parametrize(
    "expression", ["env[params.p]", "env", "toJSON(env)", "env['A' && params.p]", "contains(env, 'x')"]
)
@pytest.mark.parametrize("place", [each for each in EVERYWHERE if "env" not in each])
def test_in_a_document_with_secrets_env_is_read_by_name(expression: str, place: str) -> None:
    assert BY_NAME in reported(SECRETIVE.format(place.replace("X", expression)))


@pytest.mark.parametrize("expression", ["env[params.p]", "toJSON(env)"])
def test_without_secrets_env_is_a_mapping_like_any_other(expression: str) -> None:
    assert reported(f"params: {{p: A}}\ntasks: [{{id: t, run: 'echo ${{{{ {expression} }}}}'}}]") == ""


@pytest.mark.parametrize("expression", ["secrets", "secrets[params.p]", "toJSON(secrets)"])
def test_a_secret_is_read_by_name(expression: str) -> None:
    text = SECRETIVE.replace("DOC: ", "OTHER: '${{{{ " + expression.replace("'", "''") + " }}}}', DOC: ")
    assert "an expression can read 'secrets' only by a literal name" in reported(text.format("run: x"))


@pytest.mark.parametrize("name", ["DOC", "A"])
def test_no_expression_passes_on_a_variable_with_a_secret(name: str) -> None:
    for place in EVERYWHERE:
        if "env" not in place:
            assert f"env.{name} contains a secret" in reported(
                SECRETIVE.format(place.replace("X", f"env.{name}"))
            )


def test_no_other_variable_gets_a_variable_with_a_secret() -> None:
    text = SECRETIVE.replace('"}}, {}', '", B: "${{{{ env.A }}}}"}}, {}')
    assert "env.A contains a secret" in reported(text.format("run: x"))


@pytest.mark.parametrize("expression", ["fromJSON(secrets.S).key", "fromJSON(format('[{0}]', secrets.S))"])
def test_a_secret_cannot_be_split(expression: str) -> None:
    text = SECRETIVE.format("run: x").replace("DOC: ", f'OTHER: "${{{{ {expression} }}}}", DOC: ')
    assert "a part of a secret would not be masked" in reported(text)


def test_a_secret_may_be_a_part_of_a_text() -> None:
    text = SECRETIVE.format("run: x").replace(
        "DOC: ", "OTHER: \"${{ format('Bearer {0}', secrets.S) }}\", DOC: "
    )
    assert reported(text) == ""


# --- variables ---


@pytest.mark.parametrize(
    ("value", "written", "name"),
    [("$HOME/x", "$HOME", "HOME"), ("a ${USER}", "${USER}", "USER"), ("~/x", "~", "HOME"), ("/bin:~/bin", "~", "HOME"), ("~", "~", "HOME")],
)  # fmt: skip
@pytest.mark.parametrize(
    "document",
    ["env: {{A: '{}'}}\ntasks: [{{id: a, run: x}}]", "tasks: [{{id: a, run: x, env: {{A: '{}'}}}}]"],
)
def test_text_that_only_a_shell_would_expand_is_a_warning(
    document: str, value: str, written: str, name: str
) -> None:
    first, *_, last = reported(document.format(value)).splitlines()
    assert f"warning: '{written}' is not expanded: values of 'env' are not read by a shell" in first
    assert last == f"  help: write ${{{{ env.{name} }}}}"


@pytest.mark.parametrize(
    "value", ["${{ env.X }}", "$${{ x }}", "$5", "a$", "$$HOME", "a~b", "x ~", "100 %", "${}"]
)
def test_other_values_are_not_reported(value: str) -> None:
    assert reported(f"tasks: [{{id: a, run: x, env: {{A: '{value}'}}}}]") == ""


def test_a_value_that_reads_a_variable_further_down_is_a_warning() -> None:
    (line, *_) = reported("env: {A: '${{ env.B }}', B: b}\ntasks: [{id: a, run: x}]").splitlines()
    assert line.endswith(
        "warning: env.B is defined further down, so this is its value from other sources, or empty [env-order]"
    )
    assert reported("env: {B: b}\ntasks: [{id: a, run: x, env: {A: '${{ env.B }}', B: c}}]") == ""
    assert reported("env: {B: b, A: '${{ env.B }}${{ env.A }}'}\ntasks: [{id: a, run: x}]") == ""


def test_a_name_with_a_secret_can_be_read_after_it_has_another_value() -> None:
    secret = "secrets: [S]\nenv: {A: '${{ secrets.S }}', B: '${{ env.A }}'}\ntasks: [{id: a, run: x}]"
    assert "env.A contains a secret" in reported(secret)
    anew = (
        "secrets: [S]\nenv: {A: '${{ secrets.S }}'}\n"
        "tasks: [{id: a, run: x, env: {A: plain, B: '${{ env.A }}'}}]"
    )
    assert reported(anew) == ""


# --- defaults of parameters ---


@pytest.mark.parametrize(
    ("default", "message"),
    [
        ("${{ params.y }}", "defaults of parameters cannot use 'params': they have no values yet"),
        (
            "${{ tasks.a.status }}",
            "defaults of parameters cannot use 'tasks': no task has a result yet",
        ),
        ("${{ secrets.S }}", "'secrets' can be read only in 'env'"),
        ("${{ run.status }}", "'run' has no field 'status'"),
        ("${{ success() }}", "success() can be used only in 'if' and 'unless'"),
        ("${{ nope }}", "unknown name 'nope'"),
        ("${{ run.id", "'${{' is never closed"),
        ("${{ env.P }}", "env.P depends on parameters, which have no values yet"),
        ("${{ env.S }}", "env.S contains a secret, which an expression must not pass on"),
    ],
)
@pytest.mark.parametrize("declared", ["'{}'", "{{default: '{}'}}", "[{{a: '{}'}}]"])
def test_a_name_that_a_default_cannot_read_is_reported(declared: str, default: str, message: str) -> None:
    text = reported(
        "secrets: [S]\nenv: {P: '${{ params.y }}', S: '${{ secrets.S }}'}\n"
        f"params: {{y: 1, x: {declared.format(default)}}}\ntasks: [{{id: a, run: x}}]"
    )
    assert f"error: {message} [invalid-expression]" in text
    assert text.count("error:") == 1


@pytest.mark.parametrize(
    "default",
    ["${{ run.scheduled_at }}", "${{ env.HOME }}/x", "${{ github.ref }}", "$${{ x }}", "${{ env.E }}"],
)
def test_a_name_that_a_default_can_read_is_not_reported(default: str) -> None:
    assert (
        reported(f"env: {{E: '${{{{ env.X }}}}'}}\nparams: {{x: '{default}'}}\ntasks: [{{id: a, run: x}}]")
        == ""
    )


# --- comparisons ---


@pytest.mark.parametrize(
    ("params", "condition", "message"),
    [
        ("{n: {type: integer, default: 1}}", "params.n == '1'", "'==' compares a number with a text, which are never equal"),
        ("{s: {type: string, required: true}}", "params.s < 1", "'<' compares a text with a number, which are never equal"),
        ("{b: {type: boolean, default: false}}", "params.b != 'true'", "'!=' compares a boolean with a text, which are never equal"),
    ],
)  # fmt: skip
def test_a_declared_parameter_has_one_type(params: str, condition: str, message: str) -> None:
    assert message in reported(f'params: {params}\ntasks: [{{id: a, run: x, if: "{condition}"}}]')


@pytest.mark.parametrize(
    "params",
    ["{p: 1}", "{p: text}", "{p: {type: string}}", "{p: {type: string, default: '${{ env.X }}'}}", "{p: }"],
)
def test_a_parameter_without_a_type_is_not_checked(params: str) -> None:
    assert reported(f"params: {params}\ntasks: [{{id: a, run: x, if: params.p == 1}}]") == ""


def test_a_matrix_value_is_text_or_a_boolean() -> None:
    assert found("run: x, if: matrix.os == 1", matrix=MATRIX) == [
        "'==' compares a text with a number, which are never equal"
    ]
    assert found("run: x, if: matrix.slow == true", matrix=MATRIX) == []


@pytest.mark.parametrize("name", ["BASH_ENV", "ENV", "PS4", "PROMPT_COMMAND"])
def test_a_variable_that_a_shell_evaluates_must_not_have_a_value(name: str) -> None:
    message = [f"a value cannot be used here: a shell evaluates the value of {name}"]
    assert found(f"run: x, env: {{'{name}': 'a ${{{{ run.id }}}}'}}") == message
    assert found(f"run: x, env: {{'{name}': 'a'}}") == []


def test_that_applies_to_the_document_too() -> None:
    document = """
        env: {PS4: "+ ${{ run.id }}"}
        tasks: [{id: a, run: x}]
        """
    assert reported(document) == shown(
        """
        dag.yaml:1:15: error: a value cannot be used here: a shell evaluates the value of PS4 [invalid-expression]
            1 | env: {PS4: "+ ${{ run.id }}"}
              |               ^
          help: use another name for the variable
        """
    )


def test_a_script_that_many_tasks_share_is_read_once() -> None:
    lines = "".join(f"      echo {i} ${{{{ run.id }}}}\n" for i in range(300))
    more = "".join(f"  - {{id: t{i}, run: *script}}\n" for i in range(1000))
    began = time.process_time()
    assert reported(f"tasks:\n  - id: a\n    run: &script |\n{lines}{more}") == ""
    assert time.process_time() - began < 20
