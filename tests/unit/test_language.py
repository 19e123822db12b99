"""Where `matrix` and `item` may stand."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from dagrun.dialects import detect
from dagrun.language import check_language
from dagrun.model import Matrix
from dagrun.source import Source
from tests.unit.harness import shown, told

MATRIX = Matrix(axes={"os": ("ubuntu",)}, include=({"os": "ubuntu", "slow": True},))


def found(task: str, **more: Any) -> list[str]:
    """What is wrong with a task that has a matrix or a list."""
    text = f"name: d\ntasks:\n  - {{id: t, {task}}}\n"
    source = Source.inline(text, "dag.yaml")
    written = detect.to_dag(source.load(), source, "d")
    (only,) = written.dag.tasks
    written = replace(written, dag=replace(written.dag, tasks=(replace(only, **more),)))
    return [finding.message for finding in check_language(written)]


EVERYWHERE = (
    'run: "echo ${{ X }}"',
    'run: x, if: "X == 1"',
    'run: x, unless: "X == 1"',
    'run: x, params: {p: "${{ X }}"}',
    'run: x, env: {E: "${{ X }}"}',
    'run: x, artifacts: ["out/${{ X }}.txt"]',
)


@pytest.mark.parametrize("place", EVERYWHERE)
def test_a_matrix_and_an_item_are_known_where_they_are_and_nowhere_else(place: str) -> None:
    for name in ("matrix.os", "matrix.slow"):
        assert found(place.replace("X", name), matrix=MATRIX) == []
    assert found(place.replace("X", "item.k"), for_each=("a",)) == []
    assert found(place.replace("X", "matrix.os")) == ["'matrix' exists only in a task that has one"]
    assert found(place.replace("X", "item"), matrix=MATRIX) == [
        "'item' exists only in what a 'for_each' repeats"
    ]
    assert found(place.replace("X", "matrix.so"), matrix=MATRIX) == ["the matrix has no key 'so'"]


@pytest.mark.parametrize(
    ("task", "help"),
    [
        ("matrix: {os: [a]}, run: 'echo ${{ item }}'", "a task with 'matrix' has `matrix.<axis>`"),
        ("for_each: [a], run: 'echo ${{ matrix.os }}'", "a task with 'for_each' has `item`"),
    ],
)
def test_who_takes_one_kind_of_variants_for_the_other_is_told(task: str, help: str) -> None:
    assert told(f"tasks: [{{id: a, {task}}}]").splitlines()[-1] == f"  help: {help}"


@pytest.mark.parametrize("root", ["github", "env"])
def test_a_variable_is_text_and_holds_nothing(root: str) -> None:
    assert found(f'run: x, if: "{root}.event_name == 1"') == []
    assert found(f'run: x, if: "{root}.event.name == 1"') == [
        f"'{root}.event' is text: there is no 'name' in it"
    ]


@pytest.mark.parametrize("name", ["BASH_ENV", "ENV", "PS4", "PROMPT_COMMAND"])
def test_a_variable_that_a_shell_evaluates_gets_no_value(name: str) -> None:
    message = [f"a value cannot stand here: a shell evaluates the value of {name}"]
    assert found(f"run: x, env: {{'{name}': 'a ${{{{ run.id }}}}'}}") == message
    assert found(f"run: x, env: {{'{name}': 'a'}}") == []


def test_the_document_gives_no_value_to_such_a_variable_either() -> None:
    document = """
        env: {PS4: "+ ${{ run.id }}"}
        tasks: [{id: a, run: x}]
        """
    assert told(document) == shown(
        """
        dag.yaml:1:15: error: a value cannot stand here: a shell evaluates the value of PS4 [invalid-expression]
            1 | env: {PS4: "+ ${{ run.id }}"}
              |               ^
          help: give the variable another name
        """
    )


def test_a_script_that_many_tasks_share_is_read_once() -> None:
    lines = "".join(f"      echo {i} ${{{{ run.id }}}}\n" for i in range(300))
    more = "".join(f"  - {{id: t{i}, run: *script}}\n" for i in range(1000))
    began = time.process_time()
    assert told(f"tasks:\n  - id: a\n    run: &script |\n{lines}{more}") == ""
    assert time.process_time() - began < 20
