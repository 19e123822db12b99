"""Information about processes, and signals to them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from dagrun.executors.local import processes

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts shells, waits until each has printed `ready`, and kills them after the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(script: str, **more: str) -> subprocess.Popen[str]:
        shell = subprocess.Popen(
            ["sh", "-c", script],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, **more},
        )
        started.append(shell)
        assert shell.stdout is not None
        assert shell.stdout.readline() == "ready\n"
        return shell

    yield begin
    for shell in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.communicate()


@linux
def test_the_table_has_this_process() -> None:
    me = processes.table()[os.getpid()]
    assert (me.parent, me.group, me.session, me.dead) == (os.getppid(), os.getpgid(0), os.getsid(0), False)


@linux
def test_descendants_are_found_parents_first(start: Start) -> None:
    shell = start("sleep 60 & sh -c 'sleep 60 & echo ready; wait' & wait")
    found = processes.descendants(shell.pid)
    table = processes.table()
    assert len(found) == 3
    assert all(table[pid].parent in (shell.pid, *found[:at]) for at, pid in enumerate(found))


@linux
def test_children_are_the_direct_ones(start: Start) -> None:
    shell = start("sleep 60 & sleep 60 & echo ready; wait")
    assert sorted(processes.children(shell.pid)) == sorted(processes.descendants(shell.pid))


@linux
def test_a_process_that_does_not_exist_has_no_children() -> None:
    assert processes.children(2**22 + 1) == []


@linux
def test_a_dead_process_is_no_descendant(start: Start) -> None:
    shell = start("sh -c 'exit 0' & echo ready; exec sleep 300")
    deadline = time.monotonic() + 60
    while processes.descendants(shell.pid) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert processes.descendants(shell.pid) == []


@linux
def test_the_mark_of_a_process_is_in_its_environment(start: Start) -> None:
    shell = start(
        "echo ready; sleep 60; true", **{processes.BODY: "7-a-1"}
    )  # no exec, during which it has none
    assert processes.mark_of(shell.pid) == "7-a-1"
    assert processes.mark_of(os.getpid()) is None


@linux
def test_own_children_are_those_of_this_thread(start: Start) -> None:
    shell = start("echo ready; exec sleep 60")
    assert shell.pid in processes.own_children()


def test_every_thread_counts() -> None:
    before, end = processes.thread_count(), threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    assert processes.thread_count() == before + 1
    end.set()
    thread.join()


def test_a_signal_to_a_process_that_does_not_exist_is_ignored() -> None:
    processes.send([2**22 + 1], signal.SIGTERM)
    assert processes.send_group(2**22 + 1, signal.SIGTERM) is False


@linux
def test_processes_that_ignore_sigterm_are_killed_after_the_grace_period(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "GRACE", 0.1)
    polite = start("echo ready; sleep 60")
    stubborn = start("trap '' TERM; echo ready; while :; do sleep 0.05; done")
    began = time.monotonic()
    processes.end_all(lambda: [each.pid for each in (polite, stubborn) if each.poll() is None])
    assert (polite.returncode, stubborn.returncode) == (-signal.SIGTERM, -signal.SIGKILL)
    assert time.monotonic() - began >= processes.GRACE


def test_a_group_is_signalled_as_a_whole(start: Start) -> None:
    shell = start("sleep 60 & echo ready; wait")
    assert processes.send_group(shell.pid, signal.SIGKILL) is True
    assert shell.wait(60) == -signal.SIGKILL


@linux
def test_a_child_ends_with_its_parent() -> None:
    """The parent forks a child that asks to die with it, says who it is, and is killed."""
    code = """
import os, time
from dagrun.executors.local import processes
parent = os.getpid()
if os.fork() == 0:
    processes.die_with_parent(parent)
    processes.set_name("dagrun: tested")
    print(os.getpid(), open("/proc/self/comm").read().strip(), flush=True)
time.sleep(300)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, name = parent.stdout.readline().split(maxsplit=1)
        parent.kill()
    assert name == "dagrun: tested\n"
    deadline = time.monotonic() + 60
    while (process := processes.table().get(int(pid))) and not process.dead and time.monotonic() < deadline:
        time.sleep(0.005)
    assert process is None or process.dead


def test_signals_have_names() -> None:
    assert processes.signal_name(11) == "SIGSEGV"
    assert processes.signal_name(99) == "signal 99"


def test_all_descriptors_but_the_standard_streams_and_one_are_closed() -> None:
    code = """
import os
from dagrun.executors.local import processes
keep, other = os.pipe()
high = os.dup2(other, 200)
processes.close_other_files(keep)
print([fd for fd in range(300) if fd > 2 and os.path.exists(f"/dev/fd/{fd}")] == [keep])
"""
    found = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert found.stdout == "True\n"
