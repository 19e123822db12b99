"""The command that begins a project: init."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dagrun.cli import output
from dagrun.cli.options import Form, Output


def init(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="The directory, which is created if it does not exist.")
    ] = Path(),
    form: Output = Form.TEXT,
) -> int:
    """Create a small example project.

    It can be run at once. Existing files are never overwritten: if one of the files exists, nothing is written.

    Example:
      dagrun init demo && cd demo && dagrun run backup

    Exit codes:
      0  the files were written
      2  one of the files exists already, or the directory cannot be written to
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
    print("\nNow try:")
    if directory.resolve() != Path.cwd():
        print(f"  cd {shlex.quote(str(directory))}")
    print("\n".join(f"  {command}" for command in commands))
    return 0
