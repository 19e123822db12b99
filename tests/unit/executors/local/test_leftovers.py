"""Which orphans belong to which attempt. Their parent is this process, as it is the keeper's part."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator

import pytest

from dagrun.executors.local import processes
from dagrun.executors.local.leftovers import Leftovers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

NO_LEADER = 1 << 22
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts children of this process, in groups of their own, that print `ready`."""
    started: list[subprocess.Popen[str]] = []

    def begin(script: str, mark: str | None = None) -> subprocess.Popen[str]:
        env = {**os.environ, **({processes.BODY: mark} if mark else {})}
        child = subprocess.Popen(
            ["sh", "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True, env=env
        )
        started.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        return child

    yield begin
    for child in started:
        processes.send_group(child.pid, signal.SIGKILL)
        child.communicate()


def found(leader: int, mark: str, *, known: Collection[int] = (), unmarked: bool = False) -> set[int]:
    leftovers = Leftovers()
    leftovers.look(known)
    return set(leftovers.of(leader, mark, unmarked=unmarked))


def test_an_orphan_is_found_by_its_group_or_by_its_mark(start: Start) -> None:
    child = start("echo ready; sleep 60; :", mark="7-a-1")
    assert child.pid in found(child.pid, "other")
    assert child.pid in found(NO_LEADER, "7-a-1")
    assert child.pid not in found(NO_LEADER, "7-a-12")


def test_everything_below_an_orphan_is_left_over_too(start: Start) -> None:
    child = start("sleep 60 & sh -c 'sleep 60 & echo ready; wait' & wait", mark="7-a-1")
    assert found(NO_LEADER, "7-a-1") == {child.pid, *processes.descendants(child.pid)}


def test_an_orphan_without_a_mark_belongs_to_workers_only(start: Start) -> None:
    child = start("echo ready; sleep 60; :")
    assert child.pid not in found(NO_LEADER, "7-a")
    assert child.pid in found(NO_LEADER, "7-a", unmarked=True)


def test_a_process_that_is_known_is_not_left_over(start: Start) -> None:
    child = start("echo ready; sleep 60; :", mark="7-a-1")
    assert found(NO_LEADER, "7-a-1", known={child.pid}) == set()


def test_a_process_that_was_reaped_is_forgotten(start: Start) -> None:
    child = start("echo ready; sleep 60; :", mark="7-a-1")
    leftovers = Leftovers()
    leftovers.look(())
    assert leftovers.of(NO_LEADER, "7-a-1")[child.pid] == "sh"
    processes.send_group(child.pid, signal.SIGKILL)
    child.wait()
    leftovers.forget(child.pid)
    assert leftovers.of(NO_LEADER, "7-a-1") == {}


def test_each_orphan_is_looked_up_once_however_many_attempts_end(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    children = {start("echo ready; sleep 60; :", mark=f"7-a-{n}").pid for n in range(5)}
    looked_up: list[int] = []
    mark_of = processes.mark_of

    def counted(pid: int) -> str | None:
        looked_up.append(pid)
        return mark_of(pid)

    monkeypatch.setattr(processes, "mark_of", counted)
    leftovers = Leftovers()
    for n in range(5):
        leftovers.look(())
        assert children & leftovers.of(NO_LEADER, f"7-a-{n}").keys()
    assert sorted(pid for pid in looked_up if pid in children) == sorted(children)
