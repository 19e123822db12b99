"""The programs that dagrun is compared with, and its loader alone: a script, one process per contestant.

The last line of the output of each begins with the amount of work done. Imports are in the functions, so that each
contestant pays for its own only.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def noop(_: int) -> dict[str, int]:
    """The same as the workflow with this name."""
    return {"n": 1}


# --- running ----------------------------------------------------------------------------------------------------


def pool_map(tasks: str, workers: str) -> str:
    """Independent tasks, with the standard library."""
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(int(workers)) as pool:
        return str(sum(result["n"] for result in pool.map(noop, range(int(tasks)), chunksize=1)))


def pool_graph(shape: str, workers: str) -> str:
    """Tasks that depend on each other: each is submitted when its dependencies are done."""
    from concurrent.futures import Future, ProcessPoolExecutor
    from queue import SimpleQueue

    needs = json.loads(Path(shape).read_text())
    missing = [len(deps) for deps in needs]
    dependents: list[list[int]] = [[] for _ in needs]
    for i, deps in enumerate(needs):
        for dep in deps:
            dependents[dep].append(i)
    ended: SimpleQueue[tuple[int, Future[dict[str, int]]]] = SimpleQueue()
    done = 0
    with ProcessPoolExecutor(int(workers)) as pool:

        def submit(i: int) -> None:
            pool.submit(noop, i).add_done_callback(lambda future: ended.put((i, future)))

        for i, deps in enumerate(needs):
            if not deps:
                submit(i)
        while done < len(needs):
            i, future = ended.get()
            done += future.result()["n"]
            for dependent in dependents[i]:
                missing[dependent] -= 1
                if not missing[dependent]:
                    submit(dependent)
    return str(done)


def spawn(tasks: str) -> str:
    """Shells, one after another."""
    done = 0
    for _ in range(int(tasks)):
        pid = os.posix_spawn("/bin/sh", ["sh", "-c", "true"], os.environ)
        done += os.waitpid(pid, 0)[1] == 0
    return str(done)


def pipe(size: str) -> str:
    """One text from one process to another, which acknowledges it."""
    import multiprocessing
    import pickle
    from multiprocessing.connection import Connection

    def take(end: Connection) -> None:
        end.send(len(pickle.loads(end.recv_bytes())))

    ours, theirs = multiprocessing.Pipe()
    other = multiprocessing.get_context("fork").Process(target=take, args=(theirs,))
    other.start()
    ours.send_bytes(pickle.dumps("x" * int(size), protocol=5))
    length = ours.recv()
    other.join()
    return str(length)


# --- peers, if they are installed; their types are unknown here -------------------------------------------


def doit(tasks: str) -> str:
    """Serial, which is its fastest mode."""
    loader = import_module("doit.cmd_base").ModuleTaskLoader
    command = import_module("doit.doit_cmd").DoitMain
    done: list[int] = []

    def task_noop() -> Any:
        for i in range(int(tasks)):
            yield {"name": str(i), "actions": [(lambda i: done.append(noop(i)["n"]), [i])]}

    config = {"verbosity": 0, "dep_file": "doit.db"}
    command(loader({"task_noop": task_noop, "DOIT_CONFIG": config})).run(["run"])
    return str(len(done))


def luigi(tasks: str) -> str:
    """One worker, in its own process."""
    peer: Any = import_module("luigi")
    done: set[int] = set()

    class Noop(peer.Task):  # type: ignore[misc]
        """One task; whether it is done is kept in memory."""

        i = peer.IntParameter()

        def run(self) -> None:
            noop(self.i)
            done.add(self.i)

        def complete(self) -> bool:
            return self.i in done

    peer.build([Noop(i=i) for i in range(int(tasks))], local_scheduler=True, log_level="ERROR")
    return str(len(done))


def dask(tasks: str) -> str:
    """Two threads."""
    peer: Any = import_module("dask")
    calls = [peer.delayed(noop)(i, dask_key_name=f"noop-{i}") for i in range(int(tasks))]
    return str(sum(result["n"] for result in peer.compute(*calls, scheduler="threads", num_workers=2)))


# --- peers with shell tasks: a file with the action and the dependencies of each; run by the interpreter of the peer itself ---------


def _shell(action: str) -> None:
    import subprocess

    subprocess.run(["sh", "-c", action], check=True)


def luigi_shell(table: str, workers: str) -> str:
    """Processes, if there is more than one worker."""
    peer: Any = import_module("luigi")
    tasks = json.loads(Path(table).read_text())
    done = Path(f"{table}.{os.getpid()}.done")
    done.mkdir()

    class Shell(peer.Task):  # type: ignore[misc]
        """One task; a file shows that it is done."""

        i = peer.IntParameter()

        def requires(self) -> Any:
            return [Shell(i=need) for need in tasks["needs"][self.i]]

        def run(self) -> None:
            _shell(tasks["action"])
            (done / str(self.i)).touch()

        def complete(self) -> bool:
            return (done / str(self.i)).exists()

    last_first = reversed(range(len(tasks["needs"])))
    peer.build(
        [Shell(i=i) for i in last_first], local_scheduler=True, workers=int(workers), log_level="ERROR"
    )
    return str(len(list(done.iterdir())))


def dask_shell(table: str, workers: str) -> str:
    """Threads."""
    peer: Any = import_module("dask")
    tasks = json.loads(Path(table).read_text())
    run = peer.delayed(lambda *_: _shell(tasks["action"]), pure=False)
    calls: list[Any] = []
    for i, needs in enumerate(tasks["needs"]):
        calls.append(run(*(calls[need] for need in needs), dask_key_name=f"shell-{i}"))
    return str(len(peer.compute(*calls, scheduler="threads", num_workers=int(workers))))


def prefect_shell(table: str, workers: str) -> str:
    """Threads, and the server that each run starts."""
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
    peer: Any = import_module("prefect")
    runners: Any = import_module("prefect.task_runners")
    tasks = json.loads(Path(table).read_text())

    def run() -> int:
        calls: list[Any] = []
        for needs in tasks["needs"]:
            calls.append(shell.submit(wait_for=[calls[need] for need in needs]))
        for call in calls:
            call.result()
        return len(calls)

    shell = peer.task(lambda: _shell(tasks["action"]), name="shell")
    runner = runners.ThreadPoolTaskRunner(max_workers=int(workers))
    return str(peer.flow(run, name="shells", task_runner=runner)())


# --- loading: the output is the number of tasks, the seconds, and the growth of the process in bytes ----------------------------


def libyaml(path: str) -> str:
    """The event stream alone, which every reader based on libyaml needs."""
    import yaml

    def load(path: str) -> int:
        loader = yaml.CSafeLoader(Path(path).read_text())
        mappings = 0
        while not isinstance(event := loader.get_event(), yaml.StreamEndEvent):
            mappings += isinstance(event, yaml.MappingStartEvent)
        return (mappings - 1) // 2  # one of the document; each task has one more for its parameters

    return _measured(load, path)


def usual(path: str) -> str:
    """The usual way: CSafeLoader, pydantic, graphlib."""
    from graphlib import TopologicalSorter

    import yaml
    from pydantic import BaseModel

    class Task(BaseModel):
        """A task of the document."""

        id: str
        workflow_ref: str
        params: dict[str, Any] = {}
        retries: int = 0
        timeout: str | None = None
        depends_on: list[str] = []

    class Document(BaseModel):
        """The document."""

        tasks: list[Task]

    def load(path: str) -> int:
        data = yaml.load(Path(path).read_text(), yaml.CSafeLoader)
        found = Document.model_validate(data)
        order = TopologicalSorter({task.id: task.depends_on for task in found.tasks}).static_order()
        return len(list(order))

    return _measured(load, path)


def loaded(path: str) -> str:
    """dagrun: read, validated, linked, ordered."""
    from dagrun.app.documents import Documents
    from dagrun.registry import Origin, Registry, Workflow
    from dagrun.settings import Settings

    known = Workflow("noop", "", (), True, Origin("file", "noop.py"), "noop.py:4")
    documents = Documents(Settings(root=Path.cwd()), lambda: Registry({"noop": known}))

    def load(path: str) -> int:
        (report,) = documents.validate([path])
        return 0 if report.graph is None else len(report.graph.order())

    return _measured(load, path)


def _measured(load: Callable[[str], int], path: str) -> str:
    load("small.yaml")  # late imports are not part of reading a document
    before = _memory("VmRSS")
    start = time.perf_counter()
    tasks = load(path)
    seconds = time.perf_counter() - start
    return f"{tasks} {seconds} {_memory('VmHWM') - before}"


def _memory(which: str) -> float:
    """Bytes of memory of this process; nan if the system does not report them."""
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        return math.nan
    return int(status.partition(f"{which}:")[2].split()[0]) * 1024


if __name__ == "__main__":
    print(globals()[sys.argv[1]](*sys.argv[2:]))
