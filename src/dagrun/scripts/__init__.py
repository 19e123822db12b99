"""Shell text with `${{ }}` in it: where each stands, which reference to an environment variable fits there.

A value is never pasted into a script. Each `${{ }}` becomes a reference that is fitted to its place: bare
`"${DAGRUN_X1}"`, in double quotes and in an unquoted heredoc `${DAGRUN_X1}`, in single quotes `'"${DAGRUN_X1}"'`. In a
comment it stays as it is and is not evaluated. Where a value could become code, or where that cannot be told, it is
refused: better a line to rewrite than a value that runs.

What a command does with an argument that is not a program text by its manual is the script's affair: `make X=..`,
`git -c alias..`, a value that begins with `-` and is taken for an option of `tar`.
"""

from __future__ import annotations

from dagrun.scripts.fitting import Fitted, ScriptProblems, Variable, fit
from dagrun.scripts.shell import SHELLS

__all__ = ["SHELLS", "Fitted", "ScriptProblems", "Variable", "fit"]
