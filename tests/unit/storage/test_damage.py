"""A run whose files were damaged: every reader reports it, none fails unexpectedly."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from dagrun.app.service import Service
from dagrun.cli.history import status_lines
from dagrun.cli.watching import EventLines
from dagrun.clock import FakeClock
from dagrun.core.graph import Graph
from dagrun.core.model import Dag, Matrix, OnError, Retry
from dagrun.core.selection import Selection
from dagrun.core.work import INLINE_BYTES
from dagrun.errors import DagrunError, DamagedError
from dagrun.executors.inline import InlineExecutor
from dagrun.kinds.workflow import WorkflowAction
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.settings import Settings
from dagrun.storage.files import FileRuns
from dagrun.testing import fails
from dagrun.views.orchestration_run import orchestration_run
from dagrun.views.status import DamagedRun, RunView
from tests.unit.harness import task
from tests.unit.lives import REGISTRY

CALL = WorkflowAction("w")
DAG = Dag(
    name="damaged",
    tasks=(
        task("list", action=CALL),
        task("each", "list", action=CALL, for_each="${{ tasks.list.outputs.items }}"),
        task("m", action=CALL, matrix=Matrix(axes={"os": ("a", "b")}), retry=Retry(retries=1)),
        task("large", action=CALL),
        task("bad", "large", action=CALL),
        task("last", "bad", "each", action=CALL, condition="${{ success() }}"),
    ),
    on_error=OnError.CONTINUE,
)
BODIES: dict[str, Any] = {
    "list": lambda _: {"items": ["x", "y"]}, "large": lambda _: {"text": "small for now"}, "bad": fails(99),
}  # fmt: skip
LARGE = json.dumps({"text": "x" * (INLINE_BYTES + 1)}).encode()


class Project:
    """A project with runs, and its service."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = FileRuns(root / "runs", root / "events.jsonl")
        self.service = Service(
            Settings(root=root), self.runs, FakeClock(), lambda: InlineExecutor(BODIES), lambda: REGISTRY
        )

    def run(self, run_id: str) -> Path:
        """A run that has failed in part; the outputs of `large` lie in a file."""
        asyncio.run(self.service.run(PreparedRun(Graph.compile(DAG), "", {}, REGISTRY), run_id))
        directory = self.runs.directory / run_id
        (directory / "outputs" / "large.1.json").write_bytes(LARGE)
        file = {"file": "large.1.json", "size": len(LARGE), "sha256": hashlib.sha256(LARGE).hexdigest()}

        def moved(line: dict[str, Any]) -> dict[str, Any]:
            if line.get("task_id") != "large" or line["event"] != "task_ok":
                return line
            return {key: value for key, value in line.items() if key != "outputs"} | {"outputs_file": file}

        journal = directory / "events.jsonl"
        change_lines(journal, moved)
        return directory


def change_lines(journal: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    found = [json.loads(line) for line in journal.read_text().splitlines()]
    journal.write_text("".join(json.dumps(change(line), separators=(",", ":")) + "\n" for line in found))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two runs, to be copied."""
    root = tmp_path_factory.mktemp("whole")
    project = Project(root)
    for run_id in ("good", "bad"):
        project.run(run_id)
    return root


@pytest.fixture
def project(whole: Path, tmp_path: Path) -> Project:
    """A project with a run `good`, and one `bad` that the test damages."""
    shutil.copytree(whole, tmp_path / "p")
    return Project(tmp_path / "p")


def bad(project: Project, name: str) -> Path:
    return project.runs.directory / "bad" / name


# --- lines of the journal ---


@pytest.mark.parametrize(
    ("event", "field", "value"),
    [("task_start", "attempt", "x"), ("task_start", "timestamp", 5), ("task_ok", "outputs", []), ("dag_start", "params", 3)],
)  # fmt: skip
def test_a_line_with_a_value_of_a_wrong_type_is_skipped_and_counted(
    project: Project, event: str, field: str, value: object
) -> None:
    wrong = {field: value}
    change_lines(bad(project, "events.jsonl"), lambda line: line | wrong if line["event"] == event else line)
    view = project.service.status("bad")
    assert view.corrupt == sum(fact.name == event for fact in project.runs.read("good").events)
    assert view.to_json()["damaged_lines"] == view.corrupt
    assert "damaged_lines" not in project.service.status("good").to_json()


def test_a_fact_about_a_task_that_the_dag_does_not_have_is_counted_too(project: Project) -> None:
    with bad(project, "events.jsonl").open("a") as journal:
        journal.write('{"timestamp":"2025-10-03T10:00:00.000Z","event":"task_start","task_id":"z","attempt":1,"kind":"x"}\n')  # fmt: skip
    assert project.service.status("bad").corrupt == 1


# --- the DAG ---


def spoil_dag(project: Project) -> None:
    path = bad(project, "dag.json")
    path.write_text(path.read_text().replace('"task":"list"', '"task":"gone"'))


def test_a_damaged_dag_is_reported_with_its_run_and_its_file(project: Project) -> None:
    spoil_dag(project)
    reported = r"run 'bad' cannot be read: .*/bad/dag.json: it is no longer a valid DAG: 'each' needs 'gone', which does not exist"
    for ask in (
        project.service.status,
        project.service.graph_of,
        project.service.watch,
        lambda run: asyncio.run(project.service.resume(run)),
    ):
        with pytest.raises(DamagedError, match=reported):
            ask("bad")


def test_a_damaged_run_is_listed_and_hides_no_other(project: Project) -> None:
    spoil_dag(project)
    found = {run.run_id: run for run in project.service.history()}
    assert isinstance(found["bad"], DamagedRun)
    assert isinstance(found["good"], RunView)
    assert "'gone', which does not exist" in found["bad"].reason
    assert found["bad"].to_json().keys() <= found["good"].to_json(tasks=False).keys()


def test_a_damaged_run_is_found_by_its_state_and_by_no_other_filter(project: Project) -> None:
    spoil_dag(project)
    assert [run.run_id for run in project.service.history(status="damaged")] == ["bad"]
    assert [run.run_id for run in project.service.history(dag="damaged")] == ["good"]


def test_what_is_expected_of_a_run_rests_on_the_others(project: Project) -> None:
    spoil_dag(project)
    assert project.service.estimate(Graph.compile(DAG)).runs == 1


# --- outputs ---


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: path.unlink(),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "changed": lambda path: path.write_bytes(path.read_bytes().replace(b"x", b"y", 1)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_resume_that_needs_damaged_outputs_is_refused_and_changes_nothing(
    project: Project, damage: Callable[[Path], object]
) -> None:
    damage(bad(project, "outputs/large.1.json"))
    before = bad(project, "events.jsonl").read_bytes()
    with pytest.raises(
        DamagedError, match=r"the results of task 'large' cannot be used: .*large\.1\.json"
    ) as error:
        asyncio.run(project.service.resume("bad"))
    assert error.value.hint == "`dagrun rerun bad --from large` computes them again, in a new run"
    assert bad(project, "events.jsonl").read_bytes() == before
    assert not project.runs.is_live("bad")


def test_what_is_advised_then_works(project: Project) -> None:
    bad(project, "outputs/large.1.json").unlink()
    ended = asyncio.run(project.service.rerun("bad", Selection(start=("large",)), "again"))
    assert ended.state.tasks[ended.state.index["large"]].reason == "Completed"


def test_a_rerun_that_would_take_over_damaged_outputs_is_refused_and_leaves_nothing(project: Project) -> None:
    bad(project, "outputs/large.1.json").write_text("{}")
    with pytest.raises(DamagedError, match="the results of task 'large' cannot be used"):
        asyncio.run(project.service.rerun("bad", Selection(start=("bad",)), "again"))
    assert not project.runs.has("again")


# --- anything ---


WORDS: list[Any] = [
    None, True, -1, 0, 10**30, 1.5, 1e308, float("nan"), "", "x", "\ud800", "a\nb", [], ["x"], {}, {"file": "..", "size": 0, "sha256": ""},
    "list", "each", "each[0]", "m", "m[os=a]", "task_ok", "task_expand", "dag_resume", "dag_done", "failed", "Cancelled", "StopAll",
]  # fmt: skip


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The file with some damage: bytes, lines, or values of JSON."""
    match chance.randrange(6):
        case 0:
            return data[: chance.randrange(len(data) + 1)]
        case 1:
            some = bytearray(data)
            for _ in range(chance.randrange(1, 20)):
                some[chance.randrange(len(some))] = chance.randrange(256)
            return bytes(some)
        case 2:
            lines = data.splitlines(keepends=True)
            chance.shuffle(lines)
            return b"".join(lines[: chance.randrange(1, len(lines) + 1)])
        case 3:
            lines = data.splitlines(keepends=True)
            return b"".join(line for line in lines for _ in range(chance.choice((0, 1, 1, 2))))
        case _:
            lines = data.splitlines()
            for _ in range(chance.randrange(1, 6)):
                at = chance.randrange(len(lines))
                try:
                    value = json.loads(lines[at])
                except ValueError:
                    continue
                lines[at] = json.dumps(put(value, chance)).encode()
            return b"\n".join(lines) + b"\n"


def put(value: Any, chance: random.Random) -> Any:
    """The value with something else in one place."""
    if isinstance(value, dict) and value and chance.random() < 0.95:
        name = chance.choice(sorted(value))
        if chance.random() < 0.1:
            return {key: each for key, each in value.items() if key != name}
        return {**value, name: put(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        at = chance.randrange(len(value))
        return [*value[:at], put(value[at], chance), *value[at + 1 :]]
    return chance.choice(WORDS)


def readers(project: Project) -> Iterator[Callable[[], object]]:
    """Everything that reads a run, the last of it what goes on with it."""
    service = project.service

    def shown(view: RunView) -> None:
        json.dumps(view.to_json())
        status_lines(view)
        status_lines(view, 5)
        orchestration_run(view)

    def followed() -> None:
        watch = service.watch("bad")
        watch.poll()
        shown(watch.view())
        watch.close()

    def events() -> None:
        for run in ("bad", None):
            tail = service.events(run)
            EventLines().print([*tail.poll(), *tail.finish()])
            tail.close()

    def logs() -> None:
        follower = service.follow_logs("bad")
        list(follower.poll())
        follower.close()

    yield lambda: shown(service.status("bad"))
    yield lambda: [json.dumps(run.to_json()) for run in service.history()]
    for each in ("list", "each", "each[0]", "m", "large", "bad", "last"):
        yield lambda each=each: service.why("bad", each).to_text(0.0)  # type: ignore[misc]
        yield lambda each=each: json.dumps(service.why("bad", each).to_json())  # type: ignore[misc]
    yield lambda: list(service.logs("bad"))
    yield followed
    yield events
    yield logs
    yield lambda: service.estimate(Graph.compile(DAG))
    yield lambda: asyncio.run(service.rerun("bad", Selection(start=("bad",)), "again"))
    yield lambda: asyncio.run(service.rerun("bad", Selection(), "whole-again"))
    yield lambda: asyncio.run(service.resume("bad"))
    yield lambda: shown(service.status("bad"))
    yield lambda: service.cancel("bad", "me")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_damage_every_reader_answers_or_says_what_is_wrong(project: Project, seed: int) -> None:
    chance = random.Random(seed)
    name = chance.choice(["events.jsonl", "events.jsonl", "events.jsonl", "dag.json", "outputs/large.1.json"])
    path = bad(project, name)
    path.write_bytes(mutated(path.read_bytes(), chance))
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        for read in readers(project):
            with suppress(DagrunError):
                read()
    good = project.service.status("good")
    assert (good.status, good.corrupt) == ("partial", 0)
    assert {"good", "bad"} >= {run.run_id for run in project.service.history()} - {"again", "whole-again"}
