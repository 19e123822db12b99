"""Matrices and lists of variants as users meet them: in `run`, `status`, `logs`, `why`, `resume` and `rerun`."""

from __future__ import annotations

import json
import signal
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from tests.acceptance.harness import Project, wait_for

SIX = [f"test[os={os},python={python}]" for python in ("3.9", "3.10", "3.11") for os in ("ubuntu", "alpine")]
BAD = "test[os=alpine,python=3.10]"

MATRIX = """\
name: matrix
on_error: continue
tasks:
  - id: test
    matrix: {python: [3.9, 3.10, 3.11], os: [ubuntu, alpine]}
    run: |
      echo "$DAGRUN_TASK_ID" >> effects
      echo "on $MATRIX_OS with $MATRIX_PYTHON"
      echo "v=$MATRIX_OS-${{ matrix.python }}" >> "$DAGRUN_OUTPUT"
      test "$MATRIX_OS $MATRIX_PYTHON" != "alpine 3.10" || test -e mended
  - id: script
    depends_on: [{task: test, trigger: always}]
    run: printf '%s' "$DAGRUN_PARAM_TEST__V" > map.json
  - id: python
    depends_on: [{task: test, trigger: always}]
    workflow_ref: takes
  - id: below
    depends_on: [test]
    run: echo "below" >> effects
"""

LISTS = """
    @workflow("lists")
    def lists(items): return {"items": items}

    @workflow("many")
    def many(count: int): return {"items": list(range(count))}

    @workflow("nothing")
    def nothing(**_): return None

    @workflow("takes")
    def takes(params: dict): return {"took": params}
"""


def effects(project: Project) -> Counter[str]:
    """How often each body has left its trace."""
    path = project.root / "effects"
    return Counter(path.read_text().split() if path.exists() else [])


def each(project: Project, items: Any, **keys: Any) -> Project:
    """A list from one task, a variant for each item of it, and one task below them."""
    tasks = [
        {"id": "list", "workflow_ref": "lists", "params": {"items": items}},
        {"id": "t", "depends_on": ["list"], "for_each": "${{ tasks.list.outputs.items }}", **keys},
        {"id": "below", "depends_on": ["t"], "workflow_ref": "takes"},
    ]
    project.workflows(LISTS)
    project.write("dag.yaml", json.dumps({"name": "each", "max_parallel": 4, "tasks": tasks}))
    return project


# --- a matrix -----------------------------------------------------------------------------------------------


def test_the_failed_variant_is_reported_everywhere(project: Project) -> None:
    project.workflows(LISTS)
    project.write("dag.yaml", MATRIX)
    outcome = project.answer("run", "dag.yaml")
    assert outcome.code == 1
    assert f"Task '{BAD}' failed after 1 attempt: exit code 1" in outcome.err
    reported = project.answer("status", "-o", "json")
    group = reported.task("test")
    assert (reported.json["status"], group["status"], group["summary"]) == ("partial", "failed", "5/6 passed")
    assert group["error"] == f"{BAD} failed"
    assert group["variants"][:2] == [{"python": "3.9", "os": "ubuntu"}, {"python": "3.9", "os": "alpine"}]
    assert group["results"]["os=alpine,python=3.10"] == "failed"
    assert Counter(group["results"].values()) == {"success": 5, "failed": 1}
    assert [task["id"] for task in reported.json["tasks"] if task.get("group") == "test"] == SIX
    assert (reported.json["counts"]["success"], reported.json["counts"]["failed"]) == (7, 1)
    assert "5/6 passed" in project.answer("status").out
    assert project.answer("logs", "latest", BAD).out == "on alpine with 3.10\n"
    assert (
        f"test failed (5/6 passed) <- {BAD} failed: exit code 1"
        in project.answer("why", "latest", "below").out
    )


def test_its_events_are_those_of_the_variants_and_one_more(project: Project) -> None:
    project.workflows(LISTS)
    project.write("dag.yaml", MATRIX)
    project.answer("run", "dag.yaml", "-q")
    events = project.events()
    assert (events[0]["event"], events[0]["task_count"]) == ("dag_start", 9)
    assert Counter(event["task_id"] for event in events if event["event"] == "task_start") == Counter(
        [*SIX, "script", "python"]
    )
    (end,) = [event for event in events if event.get("task_id") == "test"]
    assert (end["event"], end["error_type"], end["summary"]) == ("task_fail", "VariantsFailed", "5/6 passed")
    assert "attempt" not in end
    assert all(events.index(event) < events.index(end) for event in events if event.get("task_id") in SIX)
    done = events[-1]
    assert [done[f"tasks_{word}"] for word in ("succeeded", "failed", "skipped", "cancelled")] == [7, 1, 1, 0]


def test_the_map_of_their_outputs_reaches_scripts_and_workflows(project: Project) -> None:
    project.workflows(LISTS)
    project.write("dag.yaml", MATRIX)
    project.answer("run", "dag.yaml", "-q")
    good = {name[5:-1]: f"{name[8:14]}-{name.partition('python=')[2][:-1]}" for name in SIX if name != BAD}
    assert json.loads((project.root / "map.json").read_text()) == good
    outputs = project.answer("status", "-o", "json").task("python")["outputs"]
    assert outputs == {"took": {"test__v": good}}


FOUND = """\
    name: found
    tasks:
      - {id: list, run: 'echo "{\\"xs\\": [4, 5, 6]}" > "$DAGRUN_OUTPUT"'}
      - {id: t, depends_on: [list], for_each: "${{ tasks.list.outputs.xs }}", run: 'echo "${{ item }}"'}
    """


def test_a_resume_runs_the_failed_variant_alone_and_what_waited_for_it(project: Project) -> None:
    project.workflows(LISTS)
    project.write("dag.yaml", MATRIX)
    project.answer("run", "dag.yaml", "-q")
    project.write("mended", "")
    assert project.answer("resume", "latest", "-q").code == 0
    assert effects(project) == Counter([*SIX, BAD, "below"])
    reported = project.answer("status", "-o", "json")
    assert (reported.task("test")["summary"], reported.task(BAD)["attempt"]) == ("6/6 passed", 2)


def test_a_rerun_takes_the_group_over_whole(project: Project) -> None:
    project.workflows(LISTS)
    project.write("dag.yaml", MATRIX)
    project.write("mended", "")
    assert project.answer("run", "dag.yaml", "-q").code == 0
    first = effects(project)
    assert project.answer("rerun", "latest", "--from", "below", "-q").code == 0
    assert effects(project) == first + Counter(["below"])
    reported = project.answer("status", "-o", "json")
    assert (reported.task("test")["summary"], reported.task(SIX[0])["reason"]) == ("6/6 passed", "Reused")
    assert project.answer("rerun", "latest", "--from", "test", "-q").code == 0
    assert effects(project) == first + first + Counter(["below"])


def test_a_rerun_of_the_failed_variant_takes_over_its_siblings(project: Project) -> None:
    project.workflows(LISTS)
    project.write("dag.yaml", MATRIX)
    project.answer("run", "dag.yaml", "-q", "--run-id", "first")
    project.write("mended", "")
    assert project.answer("rerun", "first", "--from", BAD, "-q").code == 0
    assert effects(project) == Counter([*SIX, BAD, "below"])
    reported = project.answer("status", "-o", "json")
    assert reported.task("test")["summary"] == "6/6 passed"
    assert {task["id"] for task in reported.json["tasks"] if task["reason"] == "Reused"} == set(SIX) - {BAD}


def test_one_variant_and_one_item_can_be_run_alone(project: Project) -> None:
    project.workflows(LISTS)
    project.write("dag.yaml", MATRIX)
    project.write("mended", "")
    assert project.answer("run", "dag.yaml", "--only", BAD, "-q").code == 0
    assert effects(project) == Counter([BAD])
    project.write("list.yaml", FOUND)
    assert project.answer("run", "list.yaml", "--until", "t[1]", "-q").code == 0
    assert project.answer("status", "-o", "json").task("t")["results"] == {"1": "success"}
    mistaken = project.answer("run", "dag.yaml", "--only", BAD.replace("alpine", "alpin"))
    assert (mistaken.code, "did you mean" in mistaken.err) == (2, True)


def test_one_variant_is_tried_again_alone(project: Project) -> None:
    project.write(
        "dag.yaml",
        """\
        name: again
        tasks:
          - id: t
            matrix: {n: [1, 2, 3]}
            retries: 2
            run: echo "$DAGRUN_TASK_ID" >> effects; test $MATRIX_N$DAGRUN_ATTEMPT != 21
        """,
    )
    assert project.answer("run", "dag.yaml", "-q").code == 0
    assert effects(project) == Counter({"t[n=1]": 1, "t[n=2]": 2, "t[n=3]": 1})
    assert "attempt 1" in project.answer("why", "latest", "t[n=2]").out


def test_no_more_variants_run_at_once_than_the_group_lets(project: Project) -> None:
    project.write(
        "dag.yaml",
        """\
        name: narrow
        max_parallel: 8
        tasks:
          - id: t
            matrix: {n: [1, 2, 3, 4, 5, 6]}
            max_parallel: 2
            run: echo begin >> effects; sleep 0.05; echo end >> effects
          - {id: other, run: echo begin >> beside; sleep 0.2; echo end >> beside}
        """,
    )
    assert project.answer("run", "dag.yaml", "-q").code == 0
    running = 0
    for word in (project.root / "effects").read_text().split():
        running += 1 if word == "begin" else -1
        assert running <= 2
    starts = [event["task_id"] for event in project.events() if event["event"] == "task_start"]
    assert starts[:3] == ["t[n=1]", "t[n=2]", "other"]  # whose place the group leaves free


def test_a_cancel_in_the_middle_ends_what_runs_and_begins_no_more(project: Project) -> None:
    project.write(
        "dag.yaml",
        """\
        name: long
        max_parallel: 2
        tasks:
          - id: t
            matrix: {n: [1, 2, 3, 4]}
            run: test $MATRIX_N = 1 || { touch begun; sleep 300; }
          - {id: below, depends_on: [t], run: touch below}
        """,
    )
    process = project.start("run", "dag.yaml", "-q")
    wait_for("the end of the first", lambda: "task_ok t[n=1]" in project.names())
    wait_for("the second", (project.root / "begun").exists)
    project.answer("cancel", "latest", "--reason", "enough")
    assert project.finish(process).code == 1
    reported = project.answer("status", "-o", "json")
    assert [task["status"] for task in reported.json["tasks"]] == ["success", *["cancelled"] * 5]
    assert (reported.json["status"], reported.task("t")["summary"]) == ("cancelled", "1/4 passed")
    assert not (project.root / "below").exists()


# --- a list -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "items",
    [["a b", "", "ü'\"$x"], [0, 1.5, -3], [{"n": 1, "deep": {"x": [None]}}, {}], [["in", "it"]], ["one"]],
)
def test_each_item_arrives_unchanged(project: Project, items: list[Any]) -> None:
    each(project, items, workflow_ref="takes", params={"item": "${{ item }}"})
    assert project.answer("run", "dag.yaml", "-q").code == 0
    reported = project.answer("status", "-o", "json")
    took = reported.task("below")["outputs"]["took"]["t__took"]
    assert {key: value["item"] for key, value in took.items()} == {
        str(n): item for n, item in enumerate(items)
    }
    assert reported.task("t")["summary"] == f"{len(items)}/{len(items)} passed"


def test_a_script_gets_its_item_and_is_asked_about_by_its_number(project: Project) -> None:
    each(
        project, ["x", "y z", "q"], run='printf "%s|%s" ${{ item }} "$DAGRUN_TASK_ID"; test ${{ item }} != q'
    )
    assert project.answer("run", "dag.yaml", "-q").code == 1
    assert project.answer("logs", "latest", "t[1]").out.strip() == "y z|t[1]"
    assert "t[2] failed: exit code 1" in project.answer("why", "latest", "t[2]").out
    assert "started" in project.answer("why", "latest", "t[1]").out
    assert project.answer("why", "latest", "t[3]").code == 2


def test_an_empty_list_is_a_success_of_nothing(project: Project) -> None:
    each(project, [], run="touch ran")
    assert project.answer("run", "dag.yaml", "-q").code == 0
    (end,) = [
        event for event in project.events() if event.get("task_id") == "t" and event["event"] == "task_ok"
    ]
    assert end["summary"] == "0/0 passed"
    assert not (project.root / "ran").exists()


def test_each_variant_is_given_the_list_as_its_finder_made_it(project: Project) -> None:
    """They share their inputs, and one that changes its own copy changes no other."""
    project.workflows("""
        @workflow("find")
        def find(): return {"items": [*range(200)], "found": {"left": [1, True]}}

        @workflow("take")
        def take(item, **given):
            seen = dict(given["find__found"], left=[*given["find__found"]["left"]])
            given["find__found"]["left"].clear()
            given["find__items"].clear()
            return {"saw": seen}

        @workflow("count")
        def count(t__saw, **given): return [*t__saw.values()].count({"left": [1, True]})
    """)
    project.write(
        "dag.yaml",
        """\
        name: d
        tasks:
          - {id: find, workflow_ref: find}
          - {id: t, depends_on: [find], for_each: "${{ tasks.find.outputs.items }}", workflow_ref: take, params: {item: "${{ item }}"}}
          - {id: end, depends_on: [t], workflow_ref: count}
        """,
    )
    assert project.answer("run", "dag.yaml", "-q").code == 0
    assert project.answer("status", "-o", "json").task("end")["outputs"] == {"result": 200}


@pytest.mark.parametrize("count", [1000, 10_000])
def test_thousands_of_items_cost_a_few_lines_each(project: Project, count: int) -> None:
    each(project, [], workflow_ref="nothing")
    dag = json.loads((project.root / "dag.yaml").read_text())
    dag["tasks"][0] |= {"workflow_ref": "many", "params": {"count": count}}
    project.write("dag.yaml", json.dumps(dag))
    assert project.answer("run", "dag.yaml", "-q").code == 0
    assert (
        len(project.names()) == 2 * count + 8
    )  # each begins and ends; the list, the group, those beside it, the run
    reported = project.answer("status", "-o", "json")
    assert reported.task("t")["summary"] == f"{count}/{count} passed"
    assert len(project.answer("status").out.splitlines()) < 100


#: The script of one of sixty items: it does not end before it may.
GATE = "until test -e go || test ${{ item }} != 30; do sleep 0.02; done"


def test_killed_in_the_middle_and_resumed_each_item_ran_once_that_is_on_record(project: Project) -> None:
    each(project, list(range(60)), run=f'echo "$DAGRUN_TASK_ID" >> effects; sleep 0.02; {GATE}')
    process = project.start("run", "dag.yaml", "-q")
    wait_for("some items", lambda: len(effects(project)) > 10)
    process.send_signal(signal.SIGKILL)
    project.finish(process)
    wait_for("the end of its processes", lambda: not project.processes())
    before = project.events()
    good = {event["task_id"] for event in before if event["event"] == "task_ok"} - {"list"}
    begun = Counter(event["task_id"] for event in before if event["event"] == "task_start")
    assert 0 < len(good) < 60
    project.write("go", "")
    assert project.answer("resume", "latest", "-q").code == 0
    ran = effects(project)
    assert ran.keys() == {f"t[{n}]" for n in range(60)}
    assert {ran[item] for item in good} == {1}
    assert all(count <= 1 + (item in begun) for item, count in ran.items())
    assert project.names().count("task_expand t") == 1
    assert all(one["timestamp"] <= two["timestamp"] for one, two in pairwise(project.events()))
