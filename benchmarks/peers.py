"""Other tools that run tasks with dependencies: whole commands, in turn with dagrun, in multiples of `make`.

`make` and `ninja` must be installed for these rows; doit, Dagu, Luigi, Dask and Prefect have rows if their commands are on PATH.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from benchmarks.measure import Row, Spread, turns
from benchmarks.workspace import CONTESTANTS, NotDone, Workspace, chain, document

Needs = Sequence[Sequence[int]]
_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Shape:
    """Shell tasks: the dependencies of each, and how many may run at once."""

    work: str
    needs: Needs
    workers: int
    goal: float


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool: how it is given tasks that all run the same `action`, and the command that runs them."""

    name: str
    document: Callable[[Needs, str], str]
    command: Callable[[str, Shape], Sequence[str]]
    suffix: str = ""
    #: Slow ones have one turn only.
    is_slow: bool = False


def _makefile(needs: Needs, action: str) -> str:
    names = " ".join(f"t{i}" for i in range(len(needs)))
    rules = (f"t{i}:{''.join(f' t{need}' for need in deps)}\n\t@{action}\n" for i, deps in enumerate(needs))
    return f".PHONY: all {names}\nall: {names}\n{''.join(rules)}"


def _ninja_file(needs: Needs, action: str) -> str:
    builds = (f"build t{i}: task{''.join(f' t{need}' for need in deps)}\n" for i, deps in enumerate(needs))
    return f"rule task\n  command = {action}\n{''.join(builds)}"


def _dodo_file(needs: Needs, action: str) -> str:
    return (
        f"DOIT_CONFIG = {{'verbosity': 0, 'backend': 'json', 'dep_file': '.doit.{next(_NUMBERS)}'}}\n"
        f"def task_t():\n    for i, needs in enumerate({[[*deps] for deps in needs]}):\n"
        f"        yield {{'name': str(i), 'actions': [{action!r}], 'task_dep': [f't:{{n}}' for n in needs]}}\n"
    )


def _dagu_file(needs: Needs, action: str) -> str:
    lines = ["type: graph", "maxActiveSteps: MAX", "steps:"]
    for i, deps in enumerate(needs):
        lines += [f"  - name: t{i}", f"    command: sh -c '{action}'"]
        lines += [f"    depends: [{', '.join(f't{need}' for need in deps)}]"] if deps else []
    return "\n".join(lines) + "\n"


def _table(needs: Needs, action: str) -> str:
    import json

    return json.dumps({"action": action, "needs": [[*deps] for deps in needs]})


def _python_of(command: str) -> str:
    """The interpreter that an installed command of a Python package names in its first line."""
    with Path(shutil.which(command) or command).open("rb") as file:
        return file.readline().removeprefix(b"#!").decode().strip()


def _in_python(command: str) -> Callable[[str, Shape], Sequence[str]]:
    return lambda file, shape: (
        _python_of(command), str(CONTESTANTS), f"{command}_shell", file, str(shape.workers)
    )  # fmt: skip


MAKE = Peer("make", _makefile, lambda file, shape: ("make", "-s", f"-j{shape.workers}", "-f", file))
PEERS: Mapping[str, Peer] = {
    "ninja": Peer(
        "ninja", _ninja_file, lambda file, shape: ("ninja", "--quiet", f"-j{shape.workers}", "-f", file)
    ),
    "doit": Peer(
        "doit",
        _dodo_file,
        lambda file, shape: ("doit", "-f", file, *(("-n", str(shape.workers), "-P", "thread") if shape.workers > 1 else ())),
        suffix=".py",
    ),
    "dagu": Peer(
        "Dagu", _dagu_file, lambda file, _: ("dagu", "start", "-q", file), suffix=".yaml", is_slow=True
    ),
    "luigi": Peer("Luigi", _table, _in_python("luigi"), is_slow=True),
    "dask": Peer("Dask, threads", _table, _in_python("dask")),
    "prefect": Peer("Prefect", _table, _in_python("prefect"), is_slow=True),
}  # fmt: skip


def peers(workspace: Workspace) -> Iterator[Row]:
    """Independent shell tasks, two and sixteen at once, and a chain."""
    wide, long = workspace.sized(1_000), workspace.sized(200)
    shapes = (
        Shape(f"{wide:,} shell tasks, 2 at once", [[]] * wide, 2, 1.5),
        Shape(f"{wide:,} shell tasks, 16 at once", [[]] * wide, 16, 1.5),
        Shape(f"{long:,} chained shell tasks", chain(long), 1, 2.5),
    )
    if shutil.which("make") is None:
        print("bench: no `make` on PATH, so no rows about peers", file=sys.stderr)
        return
    found = [peer for command, peer in PEERS.items() if shutil.which(command)]
    for shape in shapes:
        yield from _rows(workspace, shape, found)


def _rows(workspace: Workspace, shape: Shape, others: list[Peer]) -> Iterator[Row]:
    make = _contestant(workspace, MAKE, shape)
    contestants = {"dagrun": _dagrun(workspace, shape)}
    slow: dict[str, Callable[[], float]] = {}
    for peer in list(others):
        try:
            (slow if peer.is_slow else contestants)[peer.name] = _contestant(workspace, peer, shape)
        except NotDone as error:  # another version of it, perhaps
            print(f"bench: {peer.name} is left out: {str(error).strip().splitlines()[-1]}", file=sys.stderr)
            others.remove(peer)
    rounds = turns(workspace.runs, make, *contestants.values())
    one = turns(1, make, *slow.values())
    for names, found in ((contestants, rounds), (slow, one)):
        for i, name in enumerate(names, 1):
            yield Row(
                work=f"{shape.work}: {name}",
                goal=shape.goal if name == "dagrun" else None,
                against=f"`make -j{shape.workers}`",
                measured=Spread.of(took[i] / took[0] for took in found),
            )


def _dagrun(workspace: Workspace, shape: Shape) -> Callable[[], float]:
    name = workspace.write(
        f"peers.{next(_NUMBERS)}.yaml", document(len(shape.needs), "run: 'true'", shape.needs)
    )
    return workspace.running(name, len(shape.needs), shape.workers)


def _contestant(workspace: Workspace, peer: Peer, shape: Shape) -> Callable[[], float]:
    """The peer with tasks that run `true`, once it has shown with another action that it runs each task once.

    Raises NotDone if it does not.
    """
    number = next(_NUMBERS)
    proof = workspace.write(f"done.{number}", "")
    for action in (f"echo >> {workspace.root / proof}", "true"):
        text = peer.document(shape.needs, action).replace("MAX", str(shape.workers))
        file = workspace.write(f"{action[:4]}_{number}{peer.suffix}", text)
        command = peer.command(file, shape)
        if action != "true":
            workspace.process(*command)
            done = (workspace.root / proof).read_text().count("\n")
            if done != len(shape.needs):
                raise NotDone(f"it ran {done} of {len(shape.needs)} tasks")
    return lambda: workspace.process(*command).seconds
