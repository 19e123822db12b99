"""The directory in which everything is measured: a project of its own, and processes in it."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

WORKFLOWS = """
from dagrun import workflow

@workflow("noop")
def noop(**upstream):
    return {"n": 1}

@workflow("make")
def make(size: int):
    return {"text": "x" * size}

@workflow("take")
def take(make__text: str):
    return {"length": len(make__text)}
"""
_NUMBERS = itertools.count(1)
CONTESTANTS = Path(__file__).with_name("contestants.py")


class NotDone(Exception):
    """A contestant did not do its work, so its time is meaningless."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The time of one process from start to end, in seconds; its peak memory, in bytes; its output."""

    seconds: float
    peak: int
    out: str


@dataclass(frozen=True, slots=True)
class Workspace:
    """A project in `root`. `runs` is the number of rounds; `size` is the share of the work to do."""

    root: Path
    runs: int
    size: float

    def sized(self, count: int, least: int = 8) -> int:
        """The amount of work to do: `count`, scaled by `size`."""
        return max(least, round(count * self.size))

    def write(self, name: str, text: str) -> str:
        """Write a file of the project and return its name."""
        (self.root / name).write_text(text)
        return name

    def prepare(self) -> None:
        """Create the project."""
        self.write("noop.py", WORKFLOWS)
        self.write("dagrun.toml", 'workflows = ["noop.py"]\n')

    # --- processes ------------------------------------------------------------------------------------------

    def process(self, *command: str, stdin: str = os.devnull) -> Timing:
        """Run a command. Raises NotDone if it fails."""
        with tempfile.TemporaryFile() as out, (self.root / stdin).open("rb") as source:
            start = time.perf_counter()
            process = subprocess.Popen(
                command, cwd=self.root, env=_environment(), stdin=source, stdout=out, stderr=out
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            output = out.read().decode()
        if process.returncode:
            raise NotDone(f"{' '.join(command)}: exit code {process.returncode}\n{output}")
        return Timing(seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024), output)

    def python(self, *arguments: str) -> Timing:
        """The interpreter that dagrun is installed for."""
        return self.process(sys.executable, *arguments)

    def contestant(self, name: str, *arguments: str | int, does: int | str) -> Timing:
        """Run one of `contestants.py`; the last line of its output must begin with the amount of work done."""
        took = self.python(str(CONTESTANTS), name, *map(str, arguments))
        if took.out.split("\n")[-2].split()[0] != str(does):
            raise NotDone(f"{name} did {took.out!r}, not {does}")
        return took

    def dagrun(self, *arguments: str) -> Timing:
        """Run the real command."""
        return self.process(str(Path(sys.executable).with_name("dagrun")), *arguments)

    def run(self, document: str, tasks: int, workers: int = 2, proof: str = "") -> Timing:
        """Run `dagrun run`: all tasks must have succeeded, and the journal must contain `proof`.

        Nothing is deleted before the end: for half a minute after many files were deleted, ext4 needs ten times as long
        to create one.
        """
        name = f"run-{next(_NUMBERS)}"
        took = self.dagrun("run", "-q", "--run-id", name, "--max-parallel", str(workers), document)
        journal = (self.root / "logs/runs" / name / "events.jsonl").read_text()
        done = journal.count('"event":"task_ok"')
        if done != tasks or proof not in journal:
            raise NotDone(f"dagrun ran {done} of the {tasks} tasks of {document}")
        return took

    def running(self, document: str, tasks: int, workers: int = 2, proof: str = "") -> Callable[[], float]:
        """`run`, as a contestant."""
        return lambda: self.run(document, tasks, workers, proof).seconds

    def other(self, name: str, *arguments: str | int, does: int | str) -> Callable[[], float]:
        """Another program, as a contestant."""
        return lambda: self.contestant(name, *arguments, does=does).seconds


def document(tasks: int, action: str, needs: Sequence[Sequence[int]] = ()) -> str:
    """A native document of tasks with the same action; `needs` are the dependencies of each."""
    lines = ["tasks:"]
    for i in range(tasks):
        lines += [f"  - id: t{i}", f"    {action}"]
        if needs and needs[i]:
            lines.append(f"    depends_on: [{', '.join(f't{need}' for need in needs[i])}]")
    return "\n".join(lines) + "\n"


def chain(tasks: int) -> list[list[int]]:
    """The dependencies of a chain: each task depends on the one before it."""
    return [[i - 1] if i else [] for i in range(tasks)]


def layers(tasks: int, width: int = 50) -> list[list[int]]:
    """The dependencies of layers: each task depends on three of the layer above."""
    return [
        [] if i < width else [(i // width - 1) * width + (i + k) % width for k in range(3)]
        for i in range(tasks)
    ]


def _environment() -> dict[str, str]:
    """The environment without variables that change how Python or dagrun starts: bytecode is used, settings are defaults."""
    return {
        name: value
        for name, value in os.environ.items()
        if name == "PYTHONPATH" or not name.startswith(("PYTHON", "DAGRUN_", "ORCH_"))
    }
