"""A project in a directory of its own, and dagrun in it as a user starts it: as a process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dagrun.cli import app

Answer = TypeVar("Answer")

# Seconds: no test comes near them unless something is wrong, however busy the machine is. What a body leaves behind
# sleeps longer (300), or it would not be missed.
PATIENCE = 60.0  # seconds until something happens, or has ended
LONGEST = 240.0  # that a command may take
MARK = "DAGRUN_TEST_PROJECT"
OWN_FRAMES = re.compile(r'File ".*/src/dagrun/|^Traceback|internal error', re.MULTILINE)


def wait_for(what: str, ask: Callable[[], Answer | None], patience: float = PATIENCE) -> Answer:
    """Ask until the answer is true; the test fails when it never is."""
    deadline = time.monotonic() + patience
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"waited {patience:g} s for {what}"
        time.sleep(0.02)
    return answer


def whole_lines(path: Path) -> list[Any]:
    """The complete lines of a file that may still be written to."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


@dataclass(frozen=True)
class Outcome:
    """What one command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its stdout, which must be one JSON object and nothing else."""
        return json.loads(self.out)

    def task(self, task_id: str) -> dict[str, Any]:
        """One task of a run that was printed as JSON."""
        found: dict[str, Any] = next(task for task in self.json["tasks"] if task["id"] == task_id)
        return found


class Project:
    """A directory with a `dagrun.toml`. Every process that is started in it has its mark, so that all of them can be found."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.mark = uuid.uuid4().hex
        self.printed: list[str] = []
        self._started: list[subprocess.Popen[str]] = []
        self.write("dagrun.toml", "")

    def write(self, name: str, text: str | bytes) -> Path:
        """A file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
        return path

    def workflows(self, text: str, name: str = "workflows.py") -> None:
        """The project's own workflows."""
        head = "import asyncio, ctypes, os, signal, subprocess, sys, threading, time\nfrom dagrun import *\n"
        self.write(name, head + textwrap.dedent(text))
        self.write("dagrun.toml", f'workflows = ["{name}"]\n')

    # --- running dagrun -------------------------------------------------------------------------------------

    def dagrun(
        self, *args: str, env: Mapping[str, str] | None = None, timeout: float = LONGEST, check: bool = True
    ) -> Outcome:
        """Run a command to its end. With `check`, nothing that it printed may be a traceback of dagrun's own."""
        process = self.start(*args, env=env)
        return self.finish(process, timeout, check=check)

    def answer(self, *args: str, env: Mapping[str, str] | None = None) -> Outcome:
        """The same in this process, for a tenth of the cost: where the test is about the answer and not about a process."""
        before, variables = Path.cwd(), dict(os.environ)
        out, err = io.StringIO(), io.StringIO()
        try:
            os.chdir(self.root)
            os.environ.clear()
            os.environ.update(self.environment(env))
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = app.run(args)
        finally:
            os.environ.clear()
            os.environ.update(variables)
            os.chdir(before)
        self.printed += [out.getvalue(), err.getvalue()]
        return Outcome(code, out.getvalue(), err.getvalue())

    def start(self, *args: str, env: Mapping[str, str] | None = None, **more: Any) -> subprocess.Popen[str]:
        """Start a command in a session of its own, as a terminal does."""
        process: subprocess.Popen[str] = subprocess.Popen(
            [sys.executable, "-m", "dagrun", *args],
            **{
                "cwd": self.root, "env": self.environment(env), "text": True, "start_new_session": True,
                "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more,
            },
        )  # fmt: skip
        self._started.append(process)
        return process

    def finish(
        self, process: subprocess.Popen[str], timeout: float = LONGEST, *, check: bool = True
    ) -> Outcome:
        """Wait for a command that was started."""
        out, err = process.communicate(timeout=timeout)
        if check:
            self.printed += [out or "", err or ""]
        return Outcome(process.returncode, out or "", err or "")

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of dagrun: small, so that the machine's own settings do not matter."""
        kept = {
            name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG", "LC_ALL") if name in os.environ
        }
        return {
            **kept, "HOME": str(self.root), MARK: self.mark,
            "DAGRUN_KILL_GRACE_MS": "300", "RETRY_BASE_MS": "10", **(more or {}),
        }  # fmt: skip

    # --- looking at what it left ----------------------------------------------------------------------------

    def events(self, run: str = "latest") -> list[dict[str, Any]]:
        """A run's journal: its whole lines, none where the run is only being made."""
        journals = list(self.root.glob(f"logs/runs/{'*' if run == 'latest' else run}/events.jsonl"))
        if not journals:
            return []
        journal = max(journals, key=lambda path: path.parent.stat().st_mtime_ns)
        return whole_lines(journal)

    def names(self, run: str = "latest") -> list[str]:
        """The names of a run's events, each with its task."""
        return [f"{event['event']} {event.get('task_id', '')}".strip() for event in self.events(run)]

    def run_dir(self, run: str = "latest") -> Path:
        """A run's directory."""
        if run == "latest":
            return max(self.root.glob("logs/runs/*"), key=lambda path: path.stat().st_mtime_ns)
        return self.root / "logs" / "runs" / run

    def log(self, task_id: str, attempt: int = 1) -> str:
        """What an attempt of the latest run printed."""
        return (self.run_dir() / "logs" / f"{task_id}.{attempt}.log").read_text()

    def files(self) -> set[str]:
        """Every file and directory of the project."""
        return {
            str(path.relative_to(self.root))
            for path in self.root.rglob("*")
            if "__pycache__" not in path.parts
        }

    def wait_for_file(self, name: str) -> str:
        """Wait until a body of the command started last has written the file; its text."""
        path, process = self.root / name, self._started[-1]

        def written() -> str:
            assert process.poll() is None or path.is_file(), f"dagrun ended: {self.finish(process)}"
            return path.read_text() if path.is_file() else ""

        return wait_for(name, written)

    # --- processes ------------------------------------------------------------------------------------------

    def processes(self) -> dict[int, str]:
        """Every living process of the project, with its name."""
        return {
            int(entry.name): name
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and (name := self._name_if_ours(entry))
        }

    def named(self, name: str) -> list[int]:
        """The processes of that name: `dagrun-keeper`, `dagrun-w...` for workers, or a program's."""
        prefix = name.removesuffix("...")
        return [
            pid
            for pid, found in self.processes().items()
            if found == name or (prefix != name and found.startswith(prefix))
        ]

    def _name_if_ours(self, entry: Path) -> str:
        try:
            if f"{MARK}={self.mark}".encode() not in (entry / "environ").read_bytes().split(b"\0"):
                return ""
            return (entry / "comm").read_text().strip()
        except OSError:  # it has ended just now
            return ""

    def assert_clean(self) -> None:
        """Nothing is left running and nothing looked like a fault of dagrun's."""
        wait_for(f"the end of {self.processes()}", lambda: not self.processes())
        for text in self.printed:
            assert not OWN_FRAMES.search(text), text

    def tidy(self) -> None:
        """End whatever a failed test has left."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self._started:
            process.wait(timeout=PATIENCE)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
