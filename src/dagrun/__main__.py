"""The `dagrun` command: `--version` at once, everything else through Typer."""

from __future__ import annotations

import atexit
import os
import sys

from dagrun.process import signals

TYPE_CHECKING = False  # `typing` takes longer to import than everything else that `--version` needs
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> None:
    """Run the command line and exit with its code."""
    signals.exit_on_signals()
    from dagrun.cli import streams

    streams.install()
    if sys.argv[1:] == ["--version"]:
        from dagrun import __version__

        print(f"dagrun {__version__}")
        sys.exit(streams.finish())
    from dagrun.process import gc_pause

    gc_pause.collect_less_often()
    from dagrun.cli.app import run

    try:
        code = run(sys.argv[1:])
    except SystemExit as end:
        sys.exit(streams.finish() or end.code)
    _end(code)


def _end(code: int) -> NoReturn:
    """End the process at once: to free every object first would take a quarter of the time of a short command."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _leave_out_the_current_directory() -> None:
    """`python -m` adds it to the module path: modules in it must not replace those of Python."""
    try:
        here = os.getcwd()  # noqa: PTH109
    except OSError:  # it was removed
        return
    if not sys.flags.safe_path and sys.path[:1] == [here]:
        del sys.path[0]


if __name__ == "__main__":
    _leave_out_the_current_directory()
    main()
