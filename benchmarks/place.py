"""Where contestants run: a project in a directory of its own, and processes in it."""

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
    """A contestant did not do its work, so its time says nothing."""


@dataclass(frozen=True, slots=True)
class Took:
    """One process, from its start to its end. `peak`: the most memory it had, in bytes."""

    seconds: float
    peak: int
    out: str


@dataclass(frozen=True, slots=True)
class Place:
    """A project in `root`. `runs`: how often each contestant has its turn; `size`: the share of the work to do."""

    root: Path
    runs: int
    size: float

    def sized(self, count: int, least: int = 8) -> int:
        """How much of some work to do."""
        return max(least, round(count * self.size))

    def write(self, name: str, text: str) -> str:
        """A file of the project; its name."""
        (self.root / name).write_text(text)
        return name

    def prepare(self) -> None:
        """Make the project."""
        self.write("noop.py", WORKFLOWS)
        self.write("dagrun.toml", 'workflows = ["noop.py"]\n')

    # --- processes ------------------------------------------------------------------------------------------

    def process(self, *command: str, stdin: str = os.devnull) -> Took:
        """Run a command to its end. Raises NotDone when it ends badly."""
        with tempfile.TemporaryFile() as out, (self.root / stdin).open("rb") as given:
            begun = time.perf_counter()
            process = subprocess.Popen(
                command, cwd=self.root, env=_environment(), stdin=given, stdout=out, stderr=out
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - begun
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            said = out.read().decode()
        if process.returncode:
            raise NotDone(f"{' '.join(command)}: exit code {process.returncode}\n{said}")
        return Took(seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024), said)

    def python(self, *arguments: str) -> Took:
        """The interpreter that dagrun is installed for."""
        return self.process(sys.executable, *arguments)

    def contestant(self, name: str, *arguments: str | int, does: int | str) -> Took:
        """One of `contestants.py`; the last line that it prints must begin with what it did."""
        took = self.python(str(CONTESTANTS), name, *map(str, arguments))
        if took.out.split("\n")[-2].split()[0] != str(does):
            raise NotDone(f"{name} did {took.out!r}, not {does}")
        return took

    def dagrun(self, *arguments: str) -> Took:
        """The real command."""
        return self.process(str(Path(sys.executable).with_name("dagrun")), *arguments)

    def run(self, document: str, tasks: int, workers: int = 2, proof: str = "") -> Took:
        """`dagrun run`: all tasks must have ended well, and `proof` must stand in the journal.

        Nothing is removed until all is measured: for half a minute after many files were removed, ext4 takes ten times as
        long to create one.
        """
        name = f"run-{next(_NUMBERS)}"
        took = self.dagrun("run", "-q", "--run-id", name, "--max-parallel", str(workers), document)
        journal = (self.root / "logs/runs" / name / "events.jsonl").read_text()
        done = journal.count('"event":"task_ok"')
        if done != tasks or proof not in journal:
            raise NotDone(f"dagrun ran {done} of the {tasks} tasks of {document}")
        return took

    def running(self, document: str, tasks: int, workers: int = 2, proof: str = "") -> Callable[[], float]:
        """`run` as a contestant."""
        return lambda: self.run(document, tasks, workers, proof).seconds

    def other(self, name: str, *arguments: str | int, does: int | str) -> Callable[[], float]:
        """`contestant` as a contestant."""
        return lambda: self.contestant(name, *arguments, does=does).seconds


def document(tasks: int, action: str, needs: Sequence[Sequence[int]] = ()) -> str:
    """A native document of tasks that all do the same; `needs` are the dependencies of each."""
    lines = ["tasks:"]
    for i in range(tasks):
        lines += [f"  - id: t{i}", f"    {action}"]
        if needs and needs[i]:
            lines.append(f"    depends_on: [{', '.join(f't{need}' for need in needs[i])}]")
    return "\n".join(lines) + "\n"


def chain(tasks: int) -> list[list[int]]:
    """Each task after the one before it."""
    return [[i - 1] if i else [] for i in range(tasks)]


def layers(tasks: int, width: int = 50) -> list[list[int]]:
    """Each task after three of the layer above it."""
    return [
        [] if i < width else [(i // width - 1) * width + (i + k) % width for k in range(3)]
        for i in range(tasks)
    ]


def _environment() -> dict[str, str]:
    """Ours, without what changes how Python or dagrun starts: bytecode is used, and settings are the defaults."""
    return {
        name: value
        for name, value in os.environ.items()
        if name == "PYTHONPATH" or not name.startswith(("PYTHON", "DAGRUN_", "ORCH_"))
    }
