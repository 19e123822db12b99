"""What every executor promises: each attempt ends exactly once, in whatever way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from dagrun.core.executor_protocol import Prefetching
from dagrun.core.payloads import merged_params
from dagrun.core.work import AttemptResult, Blob, Call, Command, Container, Nothing, Work
from dagrun.executors import artifacts
from dagrun.executors.inline import HANG, InlineExecutor
from dagrun.executors.local.executor import LocalExecutor
from dagrun.executors.local.processes import descendants
from tests.contract.harness import FLOWS, PATIENCE, Ends, attempt, paths, until, work


class House(Protocol):
    """An executor, and bodies for it with the names in FLOWS."""

    where: Path

    @property
    def executor(self) -> Prefetching:
        """The executor."""
        ...

    def work(self, name: str, task: str = "t", **more: Any) -> Work:
        """An attempt of one of the bodies."""
        ...

    async def hangs(self, task: str) -> None:
        """Wait until a body that hangs has begun."""
        ...

    def let_end(self, task: str) -> None:
        """Let a body that hangs end."""
        ...


class Local:
    """The local executor; each test has a keeper of its own."""

    def __init__(self, where: Path) -> None:
        self.where = where
        (where / "flows.py").write_text(FLOWS)
        self.executor = LocalExecutor(where, grace=0.3)

    def work(self, name: str, task: str = "t", **more: Any) -> Work:
        call = Call(ref=name, origin={"kind": "file", "target": str(self.where / "flows.py")})
        flags = {"flag": str(self.where / f"{task}.begun"), "until": str(self.where / f"{task}.end")}
        params = more.pop("params", {})
        if name == "hangs" or params.pop("waits", False):
            params |= flags
        return work(self.where, call, task, params=params, **more)

    async def hangs(self, task: str) -> None:
        await until((self.where / f"{task}.begun").exists)

    def let_end(self, task: str) -> None:
        (self.where / f"{task}.end").touch()

    def shut(self) -> None:
        self.executor.shut()


class Inline:
    """The inline executor."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.executor = InlineExecutor(
            {
                "returns": lambda _: None,
                "raises": self._raises,
                "outputs": self._outputs,
                "hangs": lambda _: HANG,
                "tiny": lambda params: HANG if params.get("waits") else None,
            },
            ahead=8,
        )

    @staticmethod
    def _raises(_: dict[str, Any]) -> None:
        raise ValueError("no such luck")

    @staticmethod
    def _outputs(params: dict[str, Any]) -> AttemptResult:
        return AttemptResult(duration=0.0, outputs={"got": params}, changed=False)

    def work(self, name: str, task: str = "t", **more: Any) -> Work:
        return work(self.where, Call(ref=name, origin={}), task, **more)

    async def hangs(self, task: str) -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def let_end(self, task: str) -> None:
        self.executor.release(task)

    def shut(self) -> None:
        """Nothing to end."""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which bodies are tiny must not depend on how busy the machine is."""
    monkeypatch.setattr("dagrun.executors.local.prefetch.TINY", PATIENCE)


@pytest.fixture(params=[Inline, Local], ids=["inline", "local"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """Every executor."""
    house = request.param(tmp_path)
    yield house
    house.shut()


def ends_of(house: House, story: Callable[[Ends], Awaitable[None]]) -> list[tuple[str, AttemptResult]]:
    """The ends that are reported during a story, in order."""

    async def play() -> list[tuple[str, AttemptResult]]:
        ends = Ends()
        (house.where / "logs").mkdir(exist_ok=True)
        await house.executor.open(house.where, None)
        try:
            await story(ends)
        finally:
            await house.executor.close()
        return ends.all

    return asyncio.run(play())


def end(house: House, its: Work) -> AttemptResult:
    """The end of one attempt."""

    async def story(ends: Ends) -> None:
        house.executor.start(its, ends.of("t"))
        await ends.wait()

    ((_, ended),) = ends_of(house, story)
    return ended


def test_a_body_that_returns_succeeds(house: House) -> None:
    ended = end(house, house.work("returns"))
    assert (ended.error, ended.outputs, ended.changed) == (None, {}, True)
    assert ended.duration >= 0


def test_a_body_that_raises_fails_with_the_exception(house: House) -> None:
    ended = end(house, house.work("raises"))
    assert (ended.error, ended.error_type) == ("ValueError: no such luck", "ValueError")


def test_the_return_value_of_a_body_is_its_outputs(house: House) -> None:
    its = house.work("outputs", params={"n": 1}, upstream={"up": {"k": ["ä"]}})
    ended = end(house, its)
    assert (ended.outputs, ended.changed) == ({"got": {"n": 1, "up__k": ["ä"]}}, False)


def test_an_attempt_without_a_body_succeeds_and_creates_no_files(house: House) -> None:
    its = work(house.where, Nothing())
    ended = end(house, its)
    assert (ended.error, ended.outputs, ended.changed) == (None, {}, False)
    assert not Path(paths(house.where, its).log).exists()
    assert not Path(paths(house.where, its).scratch).parent.exists()


def test_done_is_not_called_before_start_returns(house: House) -> None:
    async def story(ends: Ends) -> None:
        house.executor.start(house.work("returns"), ends.of("t"))
        house.executor.start(work(house.where, Nothing(), "n"), ends.of("n"))
        assert ends.all == []
        await ends.wait(2)

    assert len(ends_of(house, story)) == 2


def test_a_body_that_is_stopped_ends_once_and_has_failed(house: House) -> None:
    async def story(ends: Ends) -> None:
        its = house.work("hangs")
        house.executor.start(its, ends.of("t"))
        await house.hangs("t")
        house.executor.stop(its.attempt)
        house.executor.stop(its.attempt)
        await ends.wait()

    ((_, ended),) = ends_of(house, story)
    assert ended.error is not None


def test_a_body_may_be_killed_at_once(house: House) -> None:
    async def story(ends: Ends) -> None:
        its = house.work("hangs")
        house.executor.start(its, ends.of("t"))
        await house.hangs("t")
        house.executor.stop(its.attempt, now=True)
        await ends.wait()

    ((_, ended),) = ends_of(house, story)
    assert ended.error is not None


def test_stopping_one_leaves_the_others_alone(house: House) -> None:
    async def story(ends: Ends) -> None:
        one, other = house.work("hangs", "one"), house.work("hangs", "other")
        for its in (one, other):
            house.executor.start(its, ends.of(its.attempt.task_id))
        await house.hangs("one")
        await house.hangs("other")
        house.executor.stop(one.attempt)
        await ends.wait()
        assert [task for task, _ in ends.all] == ["one"]
        house.executor.stop(other.attempt)
        await ends.wait(2)

    assert [task for task, _ in ends_of(house, story)] == ["one", "other"]


def test_stopping_what_has_ended_does_nothing(house: House) -> None:
    async def story(ends: Ends) -> None:
        its = house.work("returns")
        house.executor.start(its, ends.of("t"))
        await ends.wait()
        house.executor.stop(its.attempt)
        house.executor.stop(its.attempt, now=True)

    assert [ended.error for _, ended in ends_of(house, story)] == [None]


def test_many_attempts_end_once_each(house: House) -> None:
    names = [f"t{i}" for i in range(12)]

    async def story(ends: Ends) -> None:
        for name in names:
            house.executor.start(house.work("outputs", name, params={"me": name}), ends.of(name))
        await ends.wait(len(names))

    ended = ends_of(house, story)
    assert sorted(task for task, _ in ended) == sorted(names)
    assert all(each.outputs == {"got": {"me": task}} for task, each in ended)


def test_a_task_may_be_tried_again_when_it_has_ended(house: House) -> None:
    async def story(ends: Ends) -> None:
        for name in ("raises", "returns"):
            house.executor.start(house.work(name), ends.of(name))
            await ends.wait(1 if name == "raises" else 2)

    assert [ended.error is None for _, ended in ends_of(house, story)] == [False, True]


def test_closing_twice_does_no_harm(house: House) -> None:
    async def story(_: Ends) -> None:
        await house.executor.close()

    assert ends_of(house, story) == []


# --- prefetched attempts ---


async def one_waits(house: House, ends: Ends) -> None:
    """Enough tiny bodies for others to be prefetched, and then one that hangs."""
    for number in range(8):
        house.executor.start(house.work("tiny", f"w{number}"), ends.of(f"w{number}"))
        await ends.wait(number + 1)
    house.executor.start(house.work("tiny", "long", params={"waits": True}), ends.of("long"))
    await house.hangs("long")
    assert house.executor.room("tiny") >= 8


def prefetch(house: House, ends: Ends, *tasks: str, **more: Any) -> None:
    house.executor.prefetch([(house.work("tiny", task, **more), ends.listener(task)) for task in tasks])


def test_prefetched_attempts_begin_when_another_has_ended_in_order_and_one_at_a_time(house: House) -> None:
    async def story(ends: Ends) -> None:
        await one_waits(house, ends)
        prefetch(house, ends, "a", "b", "c")
        assert ends.news == []
        house.let_end("long")
        await ends.wait(12)
        assert ends.news == [(task, what) for task in "abc" for what in ("begun", "ended")]

    assert [task for task, _ in ends_of(house, story)][8:] == ["long", "a", "b", "c"]


def test_prefetched_attempts_take_room(house: House) -> None:
    async def story(ends: Ends) -> None:
        await one_waits(house, ends)
        room = house.executor.room("tiny")
        prefetch(house, ends, *(f"q{number}" for number in range(room)))
        assert room > house.executor.room("tiny") == 0
        house.let_end("long")
        await ends.wait(9 + room)

    ends_of(house, story)


def test_a_prefetched_attempt_that_is_stopped_is_returned_and_none_is_lost(house: House) -> None:
    async def story(ends: Ends) -> None:
        await one_waits(house, ends)
        prefetch(house, ends, "a", "b", "c")
        house.executor.stop(house.work("tiny", "b").attempt)
        assert ends.news == []  # never before `stop` returns
        house.let_end("long")
        await until(lambda: {task for task, what in ends.news if what != "begun"} == set("abc"))
        assert [what for task, what in ends.news if task == "b"] == ["returned"]
        assert sum(what != "begun" for _, what in ends.news) == 3

    ends_of(house, story)


def test_a_returned_attempt_may_be_started_again(house: House) -> None:
    async def story(ends: Ends) -> None:
        await one_waits(house, ends)
        prefetch(house, ends, "a")
        house.executor.stop(house.work("tiny", "a").attempt)
        await until(lambda: ends.news == [("a", "returned")])
        house.executor.start(house.work("tiny", "a"), ends.of("a"))
        await ends.wait(9)
        house.let_end("long")
        await ends.wait(10)

    assert [task for task, _ in ends_of(house, story)][8:] == ["a", "long"]


# --- the local executor ---


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    """The local executor."""
    house = Local(tmp_path)
    yield house
    house.shut()


def test_closing_ends_everything_that_was_started(local: Local) -> None:
    import os

    before = set(descendants(os.getpid()))

    async def story(ends: Ends) -> None:
        local.executor.start(local.work("hangs", "one"), ends.of("one"))
        script = Command(
            argv=("sh", "-c"), script="trap '' TERM; sleep 60 & touch shell.begun; wait; sleep 60"
        )
        local.executor.start(work(local.where, script, "shell"), ends.of("shell"))
        await local.hangs("one")
        await local.hangs("shell")

    ends_of(local, story)
    assert set(descendants(os.getpid())) <= before


def test_a_worker_that_dies_fails_its_attempt_alone(local: Local) -> None:
    async def story(ends: Ends) -> None:
        for name in ("exits", "returns"):
            local.executor.start(local.work(name, name), ends.of(name))
        await ends.wait(2)

    ended = dict(ends_of(local, story))
    assert ended["exits"].error == "the worker process exited with code 3 before the body ended"
    assert (ended["exits"].error_type, ended["returns"].error) == ("WorkerDied", None)


def test_large_outputs_lie_in_a_file_and_reach_the_next(local: Local) -> None:
    async def story(ends: Ends) -> None:
        local.executor.start(local.work("large"), ends.of("large"))
        await ends.wait()
        large = ends.all[0][1].outputs
        assert isinstance(large, Blob)
        local.executor.start(local.work("outputs", "next", upstream={"up": large}), ends.of("next"))
        await ends.wait(2)

    outputs = ends_of(local, story)[1][1].outputs
    assert isinstance(outputs, Blob)
    assert outputs.file == "next.1.json"


def shell(local: Local, script: str, **more: Any) -> AttemptResult:
    return end(local, work(local.where, Command(argv=("sh", "-e", "-c"), script=script), **more))


def test_a_command_writes_its_outputs_to_a_file(local: Local) -> None:
    ended = shell(local, 'echo "up=$DAGRUN_PARAM_UP__K" >> "$DAGRUN_OUTPUT"', upstream={"up": {"k": "v"}})
    assert (ended.error, ended.outputs, ended.exit_code) == (None, {"up": "v"}, 0)


def test_what_a_command_prints_is_its_log(local: Local) -> None:
    its = work(local.where, Command(argv=("sh", "-c"), script="echo out; echo err >&2"))
    end(local, its)
    assert Path(paths(local.where, its).log).read_text() == "out\nerr\n"


def own_scratch(local: Local) -> list[Path]:
    """The scratch files that are not shared by all attempts of the run."""
    shared = ("none.json", "command.*", "worker.*")
    return [path for path in (local.where / "scratch").iterdir() if not any(map(path.match, shared))]


def test_a_command_that_prints_nothing_has_no_log(local: Local) -> None:
    its = work(local.where, Command(argv=("sh", "-c"), script="exit 3"))
    assert end(local, its).exit_code == 3
    assert not Path(paths(local.where, its).log).exists()


def test_a_log_that_exists_is_continued(local: Local) -> None:
    its = work(local.where, Command(argv=("sh", "-c"), script="echo more"))
    log = Path(paths(local.where, its).log)
    log.parent.mkdir(exist_ok=True)
    log.write_text("before\n")
    end(local, its)
    assert log.read_text() == "before\nmore\n"


def test_commands_one_after_the_other_do_not_share_a_log(local: Local) -> None:
    scripts = {
        "one": "echo one",
        "silent": ":",
        "two": "(sleep 0.02; echo late) & echo two",
        "three": "echo three",
    }

    async def story(ends: Ends) -> None:
        for count, (name, script) in enumerate(scripts.items(), 1):
            its = work(local.where, Command(argv=("sh", "-c"), script=script), name)
            local.executor.start(its, ends.of(name))
            await ends.wait(count)

    ends_of(local, story)
    logs = {path.name: path.read_text() for path in (local.where / "logs").iterdir()}
    assert {name: text for name, text in logs.items() if name != "two.1.log"} == {
        "one.1.log": "one\n", "three.1.log": "three\n",
    }  # fmt: skip
    assert "that the task left running" in logs["two.1.log"]


def test_the_log_of_a_command_can_be_read_while_it_runs(local: Local) -> None:
    its = work(local.where, Command(argv=("sh", "-c"), script="echo begun; exec sleep 600"))

    async def story(ends: Ends) -> None:
        local.executor.start(its, ends.of("t"))
        await until(Path(paths(local.where, its).log).exists)
        local.executor.stop(its.attempt)
        await ends.wait(1)

    ((_, ended),) = ends_of(local, story)
    assert ended.error == "killed by SIGTERM"
    assert Path(paths(local.where, its).log).read_text() == "begun\n"


@pytest.mark.parametrize(
    ("script", "error", "code"), [("exit 7", "exit code 7", 7), ("kill -SEGV $$", "killed by SIGSEGV", 139)]
)
def test_a_command_that_fails_says_how(local: Local, script: str, error: str, code: int) -> None:
    ended = shell(local, script)
    assert (ended.error, ended.exit_code) == (error, code)


def test_a_shell_that_is_not_there_fails_the_task(local: Local) -> None:
    ended = end(local, work(local.where, Command(argv=("/no/such/shell", "-c"), script="true")))
    assert (ended.error_type, ended.exit_code) == ("CommandNotRun", 127)


def test_without_an_engine_a_container_is_refused_at_the_loops_next_turn(local: Local) -> None:
    its = work(local.where, Container(image="alpine", command=None, mount=(), pull="missing"))
    ended = end(local, its)
    assert ended.error_type == "NoContainerEngine"
    assert not Path(paths(local.where, its).log).exists()


@pytest.mark.parametrize("how", ["shell", "returns"])
def test_artifacts_of_a_successful_attempt_are_kept(local: Local, how: str) -> None:
    (local.where / "made.txt").write_text("made")
    more: dict[str, Any] = {"artifacts": ("*.txt",)}
    script = Command(argv=("sh", "-c"), script="echo k=v > $DAGRUN_OUTPUT")
    its = local.work(how, **more) if how == "returns" else work(local.where, script, **more)
    ended = end(local, its)
    assert (ended.error, ended.outputs) == (None, {} if how == "returns" else {"k": "v"})
    assert Path(paths(local.where, its).artifacts, "made.txt").read_text() == "made"
    assert own_scratch(local) == []


@pytest.mark.parametrize(
    ("how", "error", "outputs"), [("shell", "CommandFailed", {"k": "v"}), ("raises", "ValueError", {})]
)
def test_artifacts_of_a_failed_attempt_are_kept_too(
    local: Local, how: str, error: str, outputs: dict[str, Any]
) -> None:
    (local.where / "made.txt").write_text("made")
    more: dict[str, Any] = {"artifacts": ("*.txt", "*.none")}
    script = Command(argv=("sh", "-c"), script="echo k=v > $DAGRUN_OUTPUT; exit 3")
    its = local.work(how, **more) if how == "raises" else work(local.where, script, **more)
    ended = end(local, its)
    assert (ended.error_type, ended.outputs) == (error, outputs)
    assert Path(paths(local.where, its).artifacts, "made.txt").read_text() == "made"
    assert (
        Path(paths(local.where, its).log)
        .read_text()
        .endswith(f"dagrun: artifact '*.none' found nothing in {local.where}\n")
    )


def test_an_attempt_that_never_began_keeps_no_artifacts(local: Local) -> None:
    its = work(local.where, Command(argv=("/no/such/shell", "-c"), script="true"), artifacts=("*.py",))
    assert end(local, its).error_type == "CommandNotRun"
    assert not Path(paths(local.where, its).artifacts).exists()


@pytest.mark.parametrize("params", [{}, {"p": 1}])
@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("mkdir $DAGRUN_OUTPUT", "$DAGRUN_OUTPUT is not an ordinary file any more"),
        ("rm $DAGRUN_PARAMS_FILE; mkdir -p $DAGRUN_PARAMS_FILE/x", None),
    ],
)
def test_a_command_ends_whatever_it_does_to_its_files(
    local: Local, script: str, error: str | None, params: dict[str, Any]
) -> None:
    assert shell(local, script, params=params).error == error


def test_a_long_script_reaches_its_shell(local: Local) -> None:
    script = "echo one" + "\n#" * 500_000 + "\nfalse\necho two"
    body = Command(argv=("sh", "-e", "-c"), script=script, file_argv=("sh", "-e", "{0}"))
    its = work(local.where, body)
    assert end(local, its).error == "exit code 1"
    assert Path(paths(local.where, its).log).read_text() == "one\n"
    assert own_scratch(local) == []


@pytest.mark.parametrize("how", ["stop", "now", "close"])
def test_an_attempt_may_be_stopped_while_its_artifacts_are_copied(
    local: Local, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying = threading.Event()

    def slow(_: Path, target: Path, halt: threading.Event) -> None:
        target.touch()
        copying.set()
        assert halt.wait(PATIENCE)

    monkeypatch.setattr(artifacts, "copy_file", slow)
    its = local.work("returns", artifacts=("*.py",))

    async def story(ends: Ends) -> None:
        local.executor.start(its, ends.of("t"))
        await until(copying.is_set)
        if how == "close":
            await local.executor.close()
        else:
            local.executor.stop(its.attempt, now=how == "now")
        await ends.wait()

    ((_, ended),) = ends_of(local, story)
    assert ended.error_type == "Terminated"
    assert not Path(paths(local.where, its).artifacts).exists()


def test_a_further_attempt_does_not_keep_what_an_earlier_one_left(local: Local) -> None:
    kept = []

    async def story(ends: Ends) -> None:
        for number, name in enumerate(("one", "two", "three"), start=1):
            for path in local.where.glob("*.txt"):
                path.unlink()
            (local.where / f"{name}.txt").touch()
            more: dict[str, Any] = {"attempt": attempt(number=number), "artifacts": ("*.txt",)}
            script = Command(argv=("sh", "-c"), script="true")
            its = work(local.where, script, **more) if number == 2 else local.work("returns", **more)
            local.executor.start(its, ends.of(name))
            await ends.wait(number)
            kept.append([path.name for path in Path(paths(local.where, its).artifacts).iterdir()])

    ends_of(local, story)
    assert kept == [["one.txt"], ["two.txt"], ["three.txt"]]


def test_a_command_with_an_impossible_environment_fails(local: Local) -> None:
    ended = shell(local, "true", env={"X": "a\0b"})
    assert ended.error_type == "BadSurroundings"


def test_outputs_of_dependencies_take_precedence_over_params() -> None:
    assert merged_params({"a": 1, "up__k": 2}, {"up": {"k": 3}}) == {"a": 1, "up__k": 3}


# --- prefetching with real workers ---


def test_there_is_room_for_tiny_bodies_only(local: Local) -> None:
    async def story(ends: Ends) -> None:
        local.executor.start(local.work("tiny", "long", params={"waits": True}), ends.of("long"))
        await local.hangs("long")
        assert local.executor.room("tiny") == 0  # not known to be tiny yet
        local.let_end("long")
        await ends.wait()
        await one_waits(local, ends)
        assert local.executor.room("returns") == 0

    ends_of(local, story)


def test_a_worker_that_dies_fails_none_of_the_attempts_that_were_prefetched_for_it(local: Local) -> None:
    async def story(ends: Ends) -> None:
        await one_waits(local, ends)
        prefetch(local, ends, "a")
        prefetch(local, ends, "dies", params={"exit": True})
        prefetch(local, ends, "b", "c")
        local.let_end("long")
        await until(lambda: {task for task, what in ends.news if what != "begun"} == {"a", "dies", "b", "c"})

    ended = dict(ends_of(local, story))
    assert ended["dies"].error_type == "WorkerDied"
    assert ended["a"].error is None
    assert not {"b", "c"} & ended.keys()


def test_attempts_prefetched_for_a_worker_with_a_long_body_are_taken_back_when_there_is_room_elsewhere(
    local: Local,
) -> None:
    """The room is that of a command, so no worker reports that it is idle."""

    async def story(ends: Ends) -> None:
        gate = local.where / "gate"
        script = Command(argv=("sh", "-c"), script=f"until test -e {gate}; do sleep 0.01; done")
        await one_waits(local, ends)
        local.executor.start(work(local.where, script, "shell"), ends.of("shell"))
        prefetch(local, ends, "a", "b")
        gate.touch()
        await until(lambda: ("a", "returned") in ends.news)
        assert local.executor.room("tiny") == 0  # its worker is busy with a long body

    ends_of(local, story)


def test_calls_that_would_fill_the_socket_of_a_busy_worker_are_not_sent_to_it(local: Local) -> None:
    """Nobody reads the socket while the body runs."""

    async def story(ends: Ends) -> None:
        await one_waits(local, ends)
        for number in range(40):
            prefetch(local, ends, f"q{number}", params={"pad": "x" * 30_000})
        await until(lambda: any(what == "returned" for _, what in ends.news))
        local.let_end("long")
        await until(lambda: sum(what != "begun" for _, what in ends.news) == 40)

    ends_of(local, story)


def test_bodies_with_secrets_are_not_prefetched(local: Local) -> None:
    async def story(ends: Ends) -> None:
        for number in range(12):
            its = local.work("tiny", f"w{number}", masks=("hush",))
            local.executor.start(its, ends.of(f"w{number}"))
            await ends.wait(number + 1)
        its = local.work("tiny", "long", params={"waits": True}, masks=("hush",))
        local.executor.start(its, ends.of("long"))
        await local.hangs("long")
        assert local.executor.room("tiny") == 0

    ends_of(local, story)
