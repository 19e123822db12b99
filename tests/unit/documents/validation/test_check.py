"""The checks of a document and its workflows, beyond the form of its nodes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from dagrun.app.service import Service
from dagrun.clock import FakeClock
from dagrun.documents.yaml import render
from dagrun.executors.inline import InlineExecutor
from dagrun.registry import Failure, Origin, Parameter, Registry
from dagrun.settings import Settings
from dagrun.storage.memory import MemoryRuns
from tests.unit.harness import read, registry, reported, shown, workflow

SWEEP = workflow("sweep", Parameter("inbox", "str", None, True), Parameter("limit", "int", "10", False))
KNOWN = registry(SWEEP, workflow("anything", rest=True), workflow("nothing"))


def test_a_duplicate_id() -> None:
    document = """
        tasks:
          - {id: a, run: x}
          - {id: b, run: x}
          - {id: a, run: x}
        """
    assert reported(document) == shown(
        """
        dag.yaml:4:10: error: ValidationError: Duplicate task IDs found: a [duplicate-id]
            4 |   - {id: a, run: x}
              |          ^
          help: the first one is on line 2
        """
    )


def test_an_id_used_three_times_is_reported_once() -> None:
    assert (
        reported("tasks: [{id: a, run: x}, {id: a, run: x}, {id: a, run: x}]").count("Duplicate task IDs")
        == 1
    )


def test_a_dependency_that_does_not_exist() -> None:
    document = """
        tasks:
          - {id: extract, run: x}
          - {id: load, run: x, depends_on: [extrat]}
        """
    assert reported(document) == shown(
        """
        dag.yaml:3:37: error: ValidationError: Task 'load' depends on non-existent task 'extrat' [unknown-task]
            3 |   - {id: load, run: x, depends_on: [extrat]}
              |                                     ^
          help: did you mean 'extract'?
        """
    )


def test_without_a_similar_task_the_few_existing_ones_are_listed() -> None:
    found = reported("tasks: [{id: build, run: x}, {id: test, run: x}, {id: b, run: x, depends_on: [zzz]}]")
    assert found.endswith("  help: available: build, test")


def test_the_task_itself_is_never_the_advice() -> None:
    assert "help" not in reported("tasks: [{id: load, run: x, depends_on: [loda]}]")


def test_a_cycle_starts_with_its_first_task_in_the_file() -> None:
    document = """
        tasks:
          - {id: x, run: x}
          - {id: a, run: x, depends_on: [x, b]}
          - {id: b, run: x, depends_on: [{task: a}]}
        """
    assert reported(document) == shown(
        """
        dag.yaml:3:37: error: CycleDetectedError: Cycle detected in DAG 'my_dag': a -> b -> a [cycle]
            3 |   - {id: a, run: x, depends_on: [x, b]}
              |                                     ^
          help: each task depends on the next; remove one of these dependencies
        """
    )


def test_a_task_that_depends_on_itself() -> None:
    assert "CycleDetectedError: Cycle detected in DAG 'my_dag': a -> a [cycle]" in reported(
        "tasks: [{id: a, run: x, depends_on: [a]}]"
    )


def test_a_cycle_through_a_duplicate_id_is_not_reported() -> None:
    found = reported(
        """
        tasks:
          - {id: a, run: x}
          - {id: b, run: x, depends_on: [a]}
          - {id: a, run: x, depends_on: [b]}
        """
    )
    assert "Duplicate task IDs found: a" in found
    assert found.count("error:") == 1


def test_a_long_cycle_is_shortened_in_the_message() -> None:
    tasks = "".join(f"  - {{id: t{i}, run: x, depends_on: [t{(i + 1) % 4_000}]}}\n" for i in range(4_000))
    begun = time.process_time()
    message = reported(f"tasks:\n{tasks}").splitlines()[0]
    assert message.startswith(
        "dag.yaml:2:35: error: CycleDetectedError: Cycle detected in DAG 'my_dag': t0 -> t1 -> "
    )
    assert message.endswith(" -> t9 -> (3980 more) -> t3990 -> t3991 -> t3992 -> t3993 -> t3994 -> t3995 -> t3996"
                            " -> t3997 -> t3998 -> t3999 -> t0 [cycle]")  # fmt: skip
    assert time.process_time() - begun < 8


def test_an_unknown_workflow_with_a_similar_one() -> None:
    assert reported("tasks:\n  - {id: a, workflow_ref: sweeep, params: {inbox: x}}", KNOWN) == shown(
        """
        dag.yaml:2:27: error: RunnerError: Unknown workflow: sweeep [unknown-workflow]
            2 |   - {id: a, workflow_ref: sweeep, params: {inbox: x}}
              |                           ^
          help: did you mean 'sweep'?
        """
    )


def test_an_unknown_workflow_without_a_similar_one() -> None:
    assert (
        "  help: `dagrun workflows` lists the registered workflows, `--workflows FILE` adds more"
        in reported("tasks: [{id: a, workflow_ref: quite_another}]", KNOWN)
    )


def test_without_a_registry_workflows_are_not_checked() -> None:
    assert reported("tasks: [{id: a, workflow_ref: quite_another}]") == ""


def test_parameters_are_compared_with_the_signature() -> None:
    document = """
        tasks:
          - id: a
            workflow_ref: sweep
            params: {limti: 3, colour: blue}
        """
    assert reported(document, KNOWN) == shown(
        """
        dag.yaml:3:19: error: workflow 'sweep' needs the parameter 'inbox' [missing-parameter]
            3 |     workflow_ref: sweep
              |                   ^
          help: add it to the 'params' of 'a'
        dag.yaml:4:14: error: workflow 'sweep' has no parameter 'limti' [unknown-parameter]
            4 |     params: {limti: 3, colour: blue}
              |              ^
          help: did you mean 'limit'?
        dag.yaml:4:24: error: workflow 'sweep' has no parameter 'colour' [unknown-parameter]
            4 |     params: {limti: 3, colour: blue}
              |                        ^
          help: it takes: inbox, limit
        """
    )


@pytest.mark.parametrize("params", ["{inbox: x}", "{inbox: x, limit: 3}"])
def test_matching_parameters_are_not_reported(params: str) -> None:
    assert reported(f"tasks: [{{id: a, workflow_ref: sweep, params: {params}}}]", KNOWN) == ""


def test_a_workflow_with_keyword_arguments_takes_any_parameter() -> None:
    assert reported("tasks: [{id: a, workflow_ref: anything, params: {any: 1}}]", KNOWN) == ""


def test_a_workflow_without_parameters_takes_none() -> None:
    assert "  help: it takes: none" in reported(
        "tasks: [{id: a, workflow_ref: nothing, params: {x: 1}}]", KNOWN
    )


def test_a_required_parameter_may_come_from_a_dependency() -> None:
    known = registry(workflow("brief", Parameter("report__path", "str", None, True)))
    task = "{id: brief, workflow_ref: brief, depends_on: [%s]}"
    assert reported(f"tasks: [{{id: report, run: x}}, {task % 'report'}]", known) == ""
    assert "[missing-parameter]" in reported(f"tasks: [{{id: other, run: x}}, {task % 'other'}]", known)


def test_a_parameter_that_an_output_would_shadow_is_a_warning() -> None:
    document = """
        tasks:
          - {id: a, run: x}
          - id: b
            run: x
            depends_on: [a]
            params: {a__k: 1}
        """
    assert reported(document) == shown(
        """
        dag.yaml:6:14: warning: an output of 'a' would replace the parameter 'a__k' [shadowed-parameter]
            6 |     params: {a__k: 1}
              |              ^
        """
    )


def test_two_parameters_of_a_script_would_share_a_variable() -> None:
    document = """
        tasks:
          - id: a
            run: x
            params: {x-y: 1, x.y: 2}
        """
    assert reported(document) == shown(
        """
        dag.yaml:4:22: error: parameters 'x-y' and 'x.y' would both set $DAGRUN_PARAM_X_Y [variable-collision]
            4 |     params: {x-y: 1, x.y: 2}
              |                      ^
          help: rename one of them
        """
    )


def test_the_parameters_of_a_workflow_are_no_variables() -> None:
    assert reported("tasks: [{id: a, workflow_ref: anything, params: {x-y: 1, x.y: 2}}]", KNOWN) == ""


def test_a_default_that_its_declaration_does_not_allow_is_reported() -> None:
    document = """
        params:
          n: {type: integer, default: many}
        tasks: [{id: a, run: x}]
        """
    assert reported(document) == shown(
        """
        dag.yaml:2:6: error: the default of parameter 'n' must be of type integer, not string 'many' [invalid-value]
            2 |   n: {type: integer, default: many}
              |      ^
        """
    )


@pytest.mark.parametrize(("listed", "level"), [(True, "error"), (False, "warning")])
def test_unreadable_workflows_are_an_error_only_if_they_are_needed(listed: bool, level: str) -> None:
    known = Registry(
        KNOWN.workflows, (Failure(Origin("module", "flows", listed), "flows.py:3: NameError: x"),)
    )
    message = "cannot read workflows from flows: flows.py:3: NameError: x [unreadable-workflows]"
    found = reported("tasks: [{id: a, workflow_ref: unheard_of}, {id: b, workflow_ref: unheard_of}]", known)
    assert f"{level}: {message}" in found
    assert ("help: it may be defined in flows, which cannot be read" in found) is listed
    assert found.count("Unknown workflow") == (1 if listed else 2)
    assert f"warning: {message}" in reported("tasks: [{id: a, workflow_ref: nothing}]", known)
    assert reported("tasks: [{id: a, run: x}]", known) == ""


def test_a_number_that_json_does_not_have_cannot_be_a_parameter() -> None:
    assert "contains .inf or .nan" in reported("tasks: [{id: a, run: x, params: {deep: [{n: .inf}]}}]")


def test_a_parameter_of_a_script_may_have_no_variable() -> None:
    assert reported("tasks:\n  - {id: a, run: x, params: {two words: 1}}") == shown(
        """
        dag.yaml:2:30: warning: the parameter 'two words' cannot be an environment variable: it is only in $DAGRUN_PARAMS_FILE [no-variable]
            2 |   - {id: a, run: x, params: {two words: 1}}
              |                              ^
          help: use letters, digits, '_', '-' and '.'
        """
    )


def test_all_findings_are_in_the_order_of_the_lines() -> None:
    findings = reported(
        """
        tasks:
          - {id: a, workflow_ref: unheard_of, depends_on: [ghost]}
          - {id: b, run: x, params: {x-y: 1, x.y: 2}}
          - {id: b, workflow_ref: nothing, params: {p: 1}}
          - {id: c, run: x, depends_on: [c]}
        """,
        KNOWN,
    )
    assert [line.rpartition("[")[2] for line in findings.splitlines() if "error: " in line] == [
        "unknown-workflow]", "unknown-task]", "variable-collision]", "duplicate-id]", "unknown-parameter]", "cycle]",
    ]  # fmt: skip


def test_a_valid_document_has_no_findings() -> None:
    dag = read(
        "tasks: [{id: a, workflow_ref: sweep, params: {inbox: x}}, {id: b, run: x, depends_on: [a]}]", KNOWN
    )
    assert [task.id for task in dag.tasks] == ["a", "b"]


# --- through the service ---


def validate(where: Path, text: str) -> list[str]:
    """The first line of every finding, as `dagrun validate` prints them."""
    (where / "dag.yaml").write_text(text)
    service = Service(Settings(root=where), MemoryRuns(), FakeClock(), InlineExecutor, lambda: KNOWN)
    (report,) = service.documents.validate([str(where / "dag.yaml")])
    return [
        render(finding, report.source).splitlines()[0].partition("dag.yaml:")[2]
        for finding in report.findings
    ]


def test_the_service_reports_the_findings_of_a_file(tmp_path: Path) -> None:
    assert validate(tmp_path, "tasks: [{id: a, workflow_ref: sweeep}]") == [
        "1:31: error: RunnerError: Unknown workflow: sweeep [unknown-workflow]"
    ]


def test_the_service_reports_all_findings_in_the_order_of_the_lines(tmp_path: Path) -> None:
    found = validate(
        tmp_path,
        "params:\n  n: {type: integer, default: many}\n  m: {type: int}\n"
        "tasks:\n  - {id: a, run: x, depends_on: [b]}\n  - {id: c, colour: blue, run: x}\ntenant_id: 5\n",
    )
    assert [each.partition(":")[0] for each in found] == ["2", "3", "5", "6", "7"]


def test_an_error_in_the_defaults_is_reported_once_at_its_place() -> None:
    assert reported(
        """
        defaults: {params: {a: "${{ nope }}"}}
        tasks: [{id: a, run: x}, {id: b, run: x}]
        """
    ) == shown(
        """
        dag.yaml:1:29: error: unknown name 'nope' [invalid-expression]
            1 | defaults: {params: {a: "${{ nope }}"}}
              |                             ^
          help: write text in quotes: 'nope'
        """
    )


def test_a_misspelt_key_does_not_hide_other_errors_of_its_task() -> None:
    findings = reported('tasks: [{id: a, run: x, tigger: always, if: "params.n = 1"}]')
    assert [line.rpartition("[")[2] for line in findings.splitlines() if "error: " in line] == [
        "unknown-key]",
        "invalid-expression]",
    ]


# --- variants ---

VARIANTS = "tasks:\n  - {{id: t, run: x, matrix: {{os: [a, b]}}}}\n  - {{id: u, {}}}\n"


@pytest.mark.parametrize(
    "line",
    [
        "run: x, depends_on: ['t[os=a]']",
        "run: 'echo ${{ tasks.t.status }}', depends_on: [t]",
        "if: \"tasks['t[os=a]'].status == 'failed'\", run: x, depends_on: ['t[os=a]']",
        "if: \"tasks['t[os=b]'].status == 'failed'\", run: x, depends_on: [t]",
    ],
)
def test_a_variant_can_be_named_as_a_task_can(line: str) -> None:
    assert reported(VARIANTS.format(line)) == ""


def test_an_unknown_variant_gets_the_existing_ones_as_advice() -> None:
    assert reported(VARIANTS.format("run: x, depends_on: ['t[v=3.10]']")) == shown(
        """
        dag.yaml:3:34: error: ValidationError: Task 'u' depends on non-existent task 't[v=3.10]' [unknown-task]
            3 |   - {id: u, run: x, depends_on: ['t[v=3.10]']}
              |                                  ^
          help: there is 't[os=a]', 't[os=b]'
        """
    )


def test_a_dependency_on_one_variant_is_not_one_on_all() -> None:
    found = reported(VARIANTS.format("run: x, depends_on: ['t[os=a]'], if: tasks.t.changed"))
    assert "'t' is not an ancestor of this task" in found


def test_a_cycle_through_a_variant_is_a_cycle() -> None:
    found = reported(
        "tasks: [{id: t, run: x, matrix: {os: [a]}, depends_on: [u]}, {id: u, run: x, depends_on: ['t[os=a]']}]"
    )
    assert "Cycle detected in DAG 'my_dag': t -> u -> t" in found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("image: 'x:${{ matrix.os }}'", "'matrix' exists only in a task that has one"),
        ("image: x, run: 'echo ${{ params.p }}'", "undeclared parameter 'p'"),
        ("run: x, services: ['pg:${{ params.p }}']", "undeclared parameter 'p'"),
        ("run: x, services: {pg: {image: x, env: {A: '${{ secrets.S }}'}}}", "undeclared secret 'S'"),
        ("run: x, for_each: '${{ tasks.t.outputs.files }}'", "'t' is not an ancestor of this task"),
        ("run: x, for_each: ['${{ item }}']", "'item' exists only in a task with 'for_each'"),
    ],
)
def test_every_expression_is_checked(line: str, expected: str) -> None:
    assert expected in reported(VARIANTS.format(line))


@pytest.mark.parametrize(
    ("named", "help"),
    [
        ("m[py=1,os=a]", "did you mean 'm[os=a,py=1]'?"),
        ("m[py=1, os=a]", "did you mean 'm[os=a,py=1]'?"),
        ("m[os=c,py=1]", "did you mean 'm[os=b,py=1]'?"),
        ("m[x]", "there is 'm[os=a,py=1]', 'm[os=b,py=1]'"),
        ("m[py=1]", "there is 'm[os=a,py=1]', 'm[os=b,py=1]'"),
        ("m[os=b]", "there is 'm[os=b,py=1]'"),
        ("t[5]", "the variants of 't' are known only during the run: write only 't'"),
        ("a[5]", "'a' has no variants: write only 'a'"),
    ],
)
def test_an_unknown_variant_is_reported_with_advice(named: str, help: str) -> None:
    document = f"""
        tasks:
          - {{id: a, run: x}}
          - {{id: m, run: x, matrix: {{os: [a, b], py: [1]}}}}
          - {{id: t, run: x, for_each: [1, 2]}}
          - {{id: z, run: x, depends_on: ["{named}"]}}
        """
    assert reported(document).splitlines()[3] == f"  help: {help}"


def test_an_item_whose_text_is_lost_is_a_warning() -> None:
    assert reported(
        "tasks:\n  - {id: a, run: x, for_each: [3.9, 3.10, {v: 1.20}, '3.10', 7, true]}"
    ) == shown(
        """
        dag.yaml:2:37: warning: 3.10 becomes the number 3.1 [changed-number]
            2 |   - {id: a, run: x, for_each: [3.9, 3.10, {v: 1.20}, '3.10', 7, true]}
              |                                     ^
          help: put it in quotes to keep the text: "3.10"
        dag.yaml:2:47: warning: 1.20 becomes the number 1.2 [changed-number]
            2 |   - {id: a, run: x, for_each: [3.9, 3.10, {v: 1.20}, '3.10', 7, true]}
              |                                               ^
          help: put it in quotes to keep the text: "1.20"
        """
    )


@pytest.mark.parametrize(
    ("asked", "advice"),
    [
        ("a", "it is this task itself"),
        ("b", "'b' waits for this task"),
        ("c", "'c' waits for this task"),
        ("d", "add 'd' to what this task depends on"),
    ],
)
def test_a_result_that_comes_too_late_gets_advice(asked: str, advice: str) -> None:
    found = reported(
        f"""
        tasks:
          - {{id: a, run: "echo ${{{{ tasks.{asked}.outputs.x }}}}"}}
          - {{id: b, run: x, depends_on: [a]}}
          - {{id: c, run: x, depends_on: [b]}}
          - {{id: d, run: x}}
        """
    )
    assert f"'{asked}' is not an ancestor of this task" in found
    assert found.endswith(f"  help: {advice}")


@pytest.mark.parametrize(
    "line", ["toolRef: {name: sweeep}", "agentRef: {name: sweeep}", "workflow_ref: sweeep"]
)
def test_an_unknown_workflow_is_reported_at_its_name(line: str) -> None:
    document = f"steps: [{{name: a, {line}}}]"
    assert reported(document, KNOWN).startswith(
        f"dag.yaml:1:{document.index('sweeep') + 1}: error: RunnerError"
    )


@pytest.mark.parametrize(
    ("document", "advice"),
    [
        ("tasks: [{id: a, workflow_ref: sweep}]", "add it to the 'params' of 'a'"),
        ("steps: [{name: a, toolRef: {name: sweep}}]", "add it to the 'with' of 'a'"),
    ],
)
def test_a_missing_parameter_is_reported_with_the_key_of_the_dialect(document: str, advice: str) -> None:
    assert reported(document, KNOWN).endswith(f"  help: {advice}")


def test_parameters_under_a_wrong_key_are_not_also_missing() -> None:
    assert (
        reported("steps: [{name: a, toolRef: {name: sweep}, params: {inbox: x}}]", KNOWN).count("error:") == 1
    )


def test_a_useless_exclude_does_not_hide_other_errors() -> None:
    found = reported(
        """
        tasks:
          - {id: a, run: "echo ${{ matrix.so }}", matrix: {os: [x], exclude: [{os: y}]}}
          - {id: b, run: x, depends_on: ["a[os=z]"]}
        """
    )
    assert "no combination of the matrix has os=y" in found
    assert "the matrix has no key 'so'" in found
    assert "Task 'b' depends on non-existent task 'a[os=z]'" in found
    assert found.count("error:") == 3


@pytest.mark.parametrize(
    ("written", "read"),
    [("3.10", "3.1"), ("0644", "644"), ("00501", "501"), ("1e-5", "1e-05"), ("0x1F", "31"), ("0o17", "15"), ("+5", "5"), (".5", "0.5"),
     ("5.", "5.0"), ("1E3", "1000.0")],
)  # fmt: skip
def test_a_parameter_whose_text_is_lost_is_a_warning(written: str, read: str) -> None:
    warning = f"warning: {written} becomes the number {read} [changed-number]"
    for document in (
        f"params: {{v: {written}}}\ntasks: [{{id: a, run: x}}]",
        f"params: {{v: {{default: {written}}}}}\ntasks: [{{id: a, run: x}}]",
        f"params: {{v: {{enum: [{written}]}}}}\ntasks: [{{id: a, run: x}}]",
        f"tasks: [{{id: a, run: x, params: {{v: {{deep: [{written}]}}}}}}]",
        f"defaults: {{params: {{v: {written}}}}}\ntasks: [{{id: a, run: x}}, {{id: b, run: x}}]",
        f"jobs: {{a: {{commands: [x], params: {{v: {written}}}}}}}",
        f"steps: [{{name: a, run: x, with: {{v: {written}}}}}]",
    ):
        assert reported(document).count(warning) == 1, document


@pytest.mark.parametrize(
    "written",
    ["3.1", "644", "1.0", "1e-05", "-5", "1_000", "1:30", "'3.10'", "1.10.2", "yes", "2026-01-31", "0"],
)
def test_a_parameter_that_keeps_its_text_is_not_reported(written: str) -> None:
    read(f"params: {{v: {written}}}\ntasks: [{{id: a, run: x, params: {{w: [{written}]}}}}]")


def test_a_parameter_declared_as_a_number_may_be_written_in_any_form() -> None:
    read(
        "params: {v: {type: number, default: 1e-5}, n: {type: integer, default: 0x1F}}\ntasks: [{id: a, run: x}]"
    )


def test_variables_and_matrix_values_keep_their_text() -> None:
    dag = read(
        "env: {A: 3.10, B: on, C: 0644}\ntasks: [{id: a, run: x, env: {D: yes, E: 1e-5}, matrix: {v: [3.10, 0644]}}]"
    )
    assert (dag.env, dag.tasks[0].env) == ({"A": "3.10", "B": "on", "C": "0644"}, {"D": "yes", "E": "1e-5"})
    assert dag.tasks[0].matrix is not None
    assert dag.tasks[0].matrix.axes == {"v": ("3.10", "0644")}


def test_bash_syntax_in_a_script_for_sh_is_a_warning() -> None:
    document = """
        tasks:
          - id: a
            commands:
              - echo ${{ run.id }}
              - x=$(cat f &> log)
          - {id: b, shell: bash, run: "[[ a ]]"}
          - {id: c, run: "#!/bin/bash\\n[[ a ]]"}
        """
    assert reported(document) == shown(
        """
        dag.yaml:5:19: warning: `&>` is bash syntax, which sh may read as something else [bash-syntax]
            5 |       - x=$(cat f &> log)
              |                   ^
          help: write shell: bash
        """
    )


def test_an_error_in_the_defaults_of_many_tasks_is_one_error() -> None:
    tasks = "".join(f"  - {{id: t{i}, run: x}}\n" for i in range(300))
    found = reported(f"defaults: {{params: {{a: .inf}}}}\ntasks:\n{tasks}")
    assert found.count("error:") == 1
