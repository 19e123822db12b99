"""`scripts/bench`: measures what the README promises and prints the table."""

from __future__ import annotations

import argparse
import compileall
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import dagrun
from benchmarks import events, growth, loading, payload, peers, scale, shell, startup, tasks
from benchmarks.measure import Row
from benchmarks.workspace import NotDone, Workspace

GROUPS: dict[str, Callable[[Workspace], Iterator[Row]]] = {
    "startup": startup.startup,
    "wide": tasks.wide,
    "chain": tasks.chained,
    "layers": tasks.layered,
    "shell": shell.shell,
    "load": loading.load,
    "scale": scale.scale,
    "events": events.events,
    "payload": payload.payload,
    "peers": peers.peers,
    "python-peers": tasks.python_peers,
}
#: Only when they are asked for: they take minutes and gigabytes.
SLOW_GROUPS: dict[str, Callable[[Workspace], Iterator[Row]]] = {
    "growth": growth.growth,
}
HEAD = ("work", "goal", "measured", "met")


def main() -> int:
    """Print the table. A slow time is only reported; a contestant that did not do its work is an error."""
    options = _options()
    compiled()
    with tempfile.TemporaryDirectory(prefix="dagrun-bench-") as root:
        workspace = Workspace(Path(root), options.runs, options.size)
        workspace.prepare()
        print(_line(HEAD), _line(["---"] * len(HEAD)), sep="\n", flush=True)
        try:
            for name in options.rows or GROUPS:
                print(f"measuring {name} ...", file=sys.stderr, flush=True)
                for row in (GROUPS | SLOW_GROUPS)[name](workspace):
                    print(_line(row.cells()), flush=True)
        except NotDone as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
    return 0


def compiled() -> None:
    """Compile everything that is installed: users have bytecode after the first start, so start-up is measured with it."""
    for directory in (Path(dagrun.__file__).parent, sysconfig.get_path("purelib")):
        compileall.compile_dir(directory, quiet=2)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "rows",
        nargs="*",
        metavar="ROWS",
        help=f"any of {', '.join(GROUPS)} (default: all of these), {', '.join(SLOW_GROUPS)}",
    )
    parser.add_argument(
        "--runs", type=int, default=5, help="rounds, one turn of each contestant per round (default: 5)"
    )
    parser.add_argument("--size", type=float, default=1.0, help="share of the work to do (default: 1)")
    parser.add_argument("--quick", action="store_true", help="the same as --runs 3 --size 0.1")
    options = parser.parse_args()
    known = [*GROUPS, *SLOW_GROUPS]
    if unknown := set(options.rows) - set(known):
        parser.error(f"no such rows: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if options.runs < 1 or options.size <= 0:
        parser.error("--runs must be at least 1, and --size more than 0")
    if options.quick:
        options.runs, options.size = 3, 0.1
    return options


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
