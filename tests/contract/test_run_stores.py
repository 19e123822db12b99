"""What every store of runs promises."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from dagrun.core.events import CancelRequested, DagStart, Event, TaskOk, TaskStart
from dagrun.core.requests import Request
from dagrun.errors import DamagedError, NotFoundError, RefusedError, UsageError
from dagrun.run_layout import RunLayout
from dagrun.storage.files import FileRuns
from dagrun.storage.memory import MemoryRun, MemoryRuns
from dagrun.storage.run_store import RunStore, RunWriter, is_run_id
from dagrun.value import replace
from tests.unit.harness import chain

NOW = 1_759_485_600.0
DAG = chain("a; B<-a")
START = DagStart(timestamp=NOW, task_count=2, dag_path="d.yaml", dag_hash="ff")
A_STARTS = TaskStart(timestamp=NOW, task_id="a", attempt=1, kind="shell")
A_OK = TaskOk(timestamp=NOW, task_id="a", attempt=1, duration_seconds=0.1, outputs={"k": "ä\ud800"})


class House(Protocol):
    """A store, how to begin a run in it, and what it wrote for all to see."""

    store: RunStore

    def begin(self, run_id: str | None = None, at: float = NOW) -> RunWriter:
        """A run that is closed when the test is over, unless it was before."""
        ...

    def stream(self) -> list[str]:
        """The lines of the stream of all runs."""
        ...


class Files:
    """Runs as directories."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = FileRuns(directory / "logs" / "runs", directory / "logs" / "events.jsonl")
        self.begun: list[RunWriter] = []

    def begin(self, run_id: str | None = None, at: float = NOW) -> RunWriter:
        writer = self.store.create(DAG, at, run_id)
        self.begun.append(writer)
        return writer

    def stream(self) -> list[str]:
        return self.store.stream.read_text().splitlines()


class Memory:
    """Runs in memory."""

    def __init__(self, _: Path) -> None:
        self.store = MemoryRuns()
        self.begun: list[MemoryRun] = []

    def begin(self, run_id: str | None = None, at: float = NOW) -> RunWriter:
        writer = self.store.create(DAG, at, run_id)
        self.begun.append(writer)
        return writer

    def stream(self) -> list[str]:
        return [line.decode().rstrip("\n") for writer in self.begun for line in writer.stream]


@pytest.fixture(params=[Files, Memory], ids=["files", "memory"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """One of them."""
    house = request.param(tmp_path)
    yield house
    for writer in house.begun:
        if house.store.is_live(writer.run_id):
            writer.close()


def events(house: House, run_id: str) -> list[Event]:
    return list(house.store.read(run_id).events)


def test_what_is_appended_and_flushed_is_read_in_order(house: House) -> None:
    run = house.begin()
    for event in (START, A_STARTS, A_OK):
        run.append(event)
    run.flush()
    assert events(house, run.run_id) == [START, A_STARTS, A_OK]


def test_what_is_not_flushed_is_not_known_yet(house: House) -> None:
    run = house.begin()
    run.append(START)
    assert events(house, run.run_id) == []


def test_flushing_nothing_writes_nothing(house: House) -> None:
    run = house.begin()
    run.append(START)
    run.flush()
    run.flush()
    assert events(house, run.run_id) == [START]


def test_closing_flushes(house: House) -> None:
    run = house.begin()
    run.append(START)
    run.close()
    assert events(house, run.run_id) == [START]


def test_the_dag_is_read_as_it_was_run(house: House) -> None:
    record = house.store.read(house.begin().run_id)
    assert (record.dag, record.corrupt) == (DAG, 0)


def test_a_run_is_live_until_its_writer_is_closed(house: House) -> None:
    run = house.begin()
    before = house.store.read(run.run_id).live
    run.close()
    assert (before, house.store.read(run.run_id).live) == (True, False)


def test_reading_a_live_run_does_not_end_it(house: House) -> None:
    run = house.begin()
    assert [house.store.read(run.run_id).live for _ in range(3)] == [True, True, True]


def test_an_id_is_made_or_given(house: House) -> None:
    assert house.begin().run_id.startswith("20251003-100000-")
    assert house.begin("nightly-1").run_id == "nightly-1"


def test_ids_are_listed_newest_first(house: House) -> None:
    begun = [house.begin(at=NOW + hour * 3600).run_id for hour in range(5)]
    assert list(house.store.ids()) == begun[::-1]


def test_given_and_generated_ids_are_listed_in_the_order_of_their_start(house: House) -> None:
    begun = []
    for hour, name in enumerate(["zz", None, "20990101-000000-mine", "20010101-000000-aaaaaa", None, "a"]):
        run = house.begin(name, NOW)  # an id may be made long before its run begins
        run.append(replace(START, timestamp=NOW + hour * 3600))
        run.close()
        begun.append(run.run_id)
    assert list(house.store.ids()) == begun[::-1]
    assert list(house.store.ids(NOW + 3 * 3600)) == begun[:2:-1]
    assert list(house.store.ids(NOW + 3 * 3600 + 0.001)) == begun[:3:-1]


def test_a_run_is_there_from_its_making_on(house: House) -> None:
    assert not house.store.has("mine")
    house.begin("mine")
    assert house.store.has("mine")
    assert not house.store.has("..")


def test_a_store_without_runs_has_no_ids(house: House) -> None:
    assert list(house.store.ids()) == []


def test_ids_of_one_moment_differ(house: House) -> None:
    assert len({house.begin().run_id for _ in range(40)}) == 40


def test_an_id_is_taken_once(house: House) -> None:
    house.begin("mine").append(START)
    with pytest.raises(RefusedError, match="the run id 'mine' is taken") as caught:
        house.begin("mine")
    assert caught.value.hint == "choose another --run-id"


def test_an_id_stays_taken_when_its_run_has_ended(house: House) -> None:
    house.begin("mine").close()
    with pytest.raises(RefusedError):
        house.begin("mine")


@pytest.mark.parametrize("run_id", ["", "../x", "a/b", ".", "a b", "x" * 129])
def test_what_is_no_name_is_no_id(house: House, run_id: str) -> None:
    assert not is_run_id(run_id)
    with pytest.raises(UsageError, match="cannot name a run: letters, digits"):
        house.begin(run_id)
    assert list(house.store.ids()) == []


@pytest.mark.parametrize("run_id", ["ghost", "../..", ""])
def test_a_run_that_is_not_there_is_not_found(house: House, run_id: str) -> None:
    with pytest.raises(NotFoundError, match=f"run '{run_id}' not found"):
        house.store.read(run_id)


@pytest.mark.parametrize(
    "asked",
    [
        lambda store: store.read("ghost"),
        lambda store: store.dag("ghost"),
        lambda store: store.take_over("ghost"),
        lambda store: store.send("ghost", Request("cancel", "me", {})),
        lambda store: store.events("ghost"),
    ],
    ids=["read", "dag", "take_over", "send", "events"],
)
def test_nothing_can_be_asked_of_a_run_that_is_not_there(
    house: House, asked: Callable[[RunStore], object]
) -> None:
    with pytest.raises(NotFoundError, match="run 'ghost' not found"):
        asked(house.store)
    assert not house.store.is_live("ghost")
    assert list(house.store.logs("ghost", ["a"])) == []
    assert house.store.log_path("ghost", "a", 1).name == "a.1.log"


def test_the_stream_of_all_runs_has_every_fact_but_no_outputs(house: House) -> None:
    one, other = house.begin("one"), house.begin("other")
    one.append(START)
    one.append(A_OK)
    one.flush()
    other.append(CancelRequested(timestamp=NOW, by="me"))
    other.close()
    lines = [json.loads(line) for line in house.stream()]
    assert [(line["run_id"], line["event"]) for line in lines] == [
        ("one", "dag_start"), ("one", "task_ok"), ("other", "cancel_requested"),
    ]  # fmt: skip
    assert "outputs" not in lines[1]


def test_events_are_followed_each_once(house: House) -> None:
    run = house.begin("r")
    tail, wanted = house.store.events("r"), house.store.events("r", ["task_ok"])
    assert tail.poll() == []
    for event in (START, A_STARTS):
        run.append(event)
    run.flush()
    assert [event["event"] for event in tail.last(1)] == ["task_start"]
    run.append(A_OK)
    run.close()
    assert [(event["event"], event["run_id"]) for event in tail.poll()] == [("task_ok", "r")]
    assert tail.poll() == tail.finish() == []
    assert [event["event"] for event in wanted.poll()] == ["task_ok"]
    tail.close()
    wanted.close()


def test_the_events_of_all_runs_are_followed_without_outputs(house: House) -> None:
    tail = house.store.events(None)
    for run_id in ("one", "two"):
        run = house.begin(run_id)
        run.append(A_OK)
        run.close()
    assert [(event["run_id"], "outputs" in event) for event in tail.poll()] == [
        ("one", False),
        ("two", False),
    ]
    tail.close()


def test_the_dag_and_whether_it_is_driven_are_known_without_the_facts(house: House) -> None:
    run = house.begin("r")
    assert (house.store.dag("r"), house.store.is_live("r")) == (DAG, True)
    run.close()
    assert house.store.is_live("r") is False
    with pytest.raises(NotFoundError):
        house.store.dag("nothing")
    with pytest.raises(NotFoundError):
        house.store.events("nothing").poll()


def test_a_log_is_in_the_directory_of_its_run(house: House) -> None:
    run = house.begin()
    assert RunLayout(run.directory).log("B", 2) == house.store.log_path(run.run_id, "B", 2)


def test_a_task_that_printed_nothing_has_no_logs(house: House) -> None:
    assert list(house.store.logs(house.begin().run_id, ["a"])) == []


# --- what only files can promise ---


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    """The store of files."""
    house = Files(tmp_path)
    yield house
    for writer in house.begun:
        if house.store.is_live(writer.run_id):
            writer.close()


def test_logs_are_found_by_attempt(files: Files) -> None:
    run = files.begin()
    for task, number in (("a", 10), ("a", 2), ("a.2", 1), ("B", 1)):
        RunLayout(run.directory).log(task, number).write_text("")
    found = [(task, number, path.name) for task, number, path in files.store.logs(run.run_id, ["B", "a"])]
    assert found == [("B", 1, "%42.1.log"), ("a", 2, "a.2.log"), ("a", 10, "a.10.log")]


def test_a_runs_directory_is_its_owners_alone(files: Files) -> None:
    run = files.begin()
    assert (files.store.directory / run.run_id).stat().st_mode & 0o777 == 0o700


def test_the_dags_hash_is_of_the_file_that_lies_there(files: Files) -> None:
    import hashlib

    run = files.begin()
    data = (files.store.directory / run.run_id / "dag.json").read_bytes()
    assert run.dag_hash == hashlib.sha256(data).hexdigest()


def test_nothing_temporary_stays_when_a_run_is_closed(files: Files) -> None:
    run = files.begin()
    RunLayout(run.directory).scratch.mkdir(parents=True)
    run.close()
    left = {path.name for path in (files.store.directory / run.run_id).iterdir()}
    assert left == {"dag.json", "events.jsonl", "lock", "logs", "outputs"}


def test_lines_that_are_no_facts_are_counted(files: Files) -> None:
    run = files.begin()
    run.append(START)
    run.close()
    with (files.store.directory / run.run_id / "events.jsonl").open("a") as journal:
        journal.write(
            'garbage\n{"timestamp":"soon","event":"dag_done"}\n{"event":"new","timestamp":"t"}\n{"torn'
        )
    record = files.store.read(run.run_id)
    # A torn last line is no damage: its writer may not have finished.
    assert (list(record.events), record.corrupt) == ([START], 2)


def test_a_directory_that_is_no_run_is_not_found(files: Files) -> None:
    (files.store.directory / "odd").mkdir(parents=True)
    with pytest.raises(NotFoundError) as caught:
        files.store.read("odd")
    assert caught.value.hint == "it never began: it has no dag.json"


def test_a_run_that_cannot_begin_leaves_nothing(files: Files) -> None:
    files.store.stream.parent.mkdir(parents=True)
    files.store.stream.mkdir()
    from dagrun.errors import RecordError

    with pytest.raises(RecordError, match=r"cannot write .*events.jsonl"):
        files.begin("mine")
    assert list(files.store.ids()) == []
    files.store.stream.rmdir()
    assert files.begin("mine").run_id == "mine"


def test_a_list_lies_in_a_file_only_when_it_is_large(house: House) -> None:
    run = house.begin()
    assert run.store_items("a", [1, 2]) is None
    items = ["ä\ud800" * 10_000]
    blob = run.store_items("B[x]", items)
    assert blob is not None
    assert run.read_outputs(blob) == {"items": items}


def test_what_tasks_have_kept_is_found_and_can_be_taken_over(files: Files) -> None:
    old, new = files.begin("old"), files.begin("new")
    assert old.artifacts("a") is None
    for name in ("a", "B"):
        directory = Path(RunLayout(old.directory).attempt(name, 1).artifacts)
        (directory / "sub").mkdir(parents=True)
        (directory / "sub" / "file").write_text(name)
        (directory / "link").symlink_to("sub/file")
        assert old.artifacts(name) == directory
    new.reuse_artifacts("old", ["B", "c"])
    taken = new.artifacts("B")
    assert taken is not None
    assert (taken / "sub" / "file").read_text() == (taken / "link").read_text() == "B"
    assert (taken / "sub" / "file").stat().st_nlink == 2
    assert (taken / "link").is_symlink()
    assert new.artifacts("a") is None
    new.reuse_artifacts("new-one-that-kept-nothing", ["a"])


@pytest.mark.parametrize(
    ("damage", "reported"),
    [
        (lambda path: path.unlink(), "the outputs file .* is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "was changed: it has 70014 bytes, and 70015 were recorded"),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"x", b"y", 1)), "its SHA-256 is not the one that was recorded"),
    ],
    ids=["missing", "cut", "changed"],
)  # fmt: skip
def test_a_file_of_outputs_that_is_not_what_was_recorded_is_damaged(
    files: Files, damage: Callable[[Path], object], reported: str
) -> None:
    old, new = files.begin("old"), files.begin("new")
    blob = old.store_items("a", ["x" * 70_000])
    assert blob is not None
    damage(files.store.directory / "old" / "outputs" / blob.file)
    for read in (lambda: old.read_outputs(blob), lambda: new.reuse_outputs("old", blob)):
        with pytest.raises(DamagedError, match=reported):
            read()


def test_a_run_without_its_dag_is_there_and_damaged(files: Files) -> None:
    run = files.begin("mine")
    run.append(START)
    run.close()
    (files.store.directory / "mine" / "dag.json").unlink()
    assert list(files.store.ids()) == ["mine"]
    with pytest.raises(DamagedError, match=r"run 'mine' cannot be read: .*/mine/dag.json: it is missing"):
        files.store.read("mine")
