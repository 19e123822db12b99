"""The command that begins a project: init."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dagrun.cli import output
from dagrun.cli.output import Form, Output


def register(app: typer.Typer) -> None:
    """Add this group's command."""
    app.command()(init)


def init(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to; made if it is missing.")
    ] = Path(),
    form: Output = Form.TEXT,
) -> int:
    """Write a small project to begin with.

    It runs at once. No file that is there already is written over: then nothing is written at all.
    """
    import shlex

    from dagrun import project_template

    written = project_template.write(directory)
    commands = ["dagrun run backup", "dagrun why latest report"]
    if form is Form.JSON:
        output.print_json({
            "directory": str(directory.resolve()), "written": list(map(str, written)), "next": commands,
        })  # fmt: skip
        return 0
    for path in written:
        print(f"{output.paint('written', 'success')} {output.one_line(str(path))}")
    print("\nGo on with:")
    if directory.resolve() != Path.cwd():
        print(f"  cd {shlex.quote(str(directory))}")
    print("\n".join(f"  {command}" for command in commands))
    return 0
