"""Shell text with `${{ }}` in it: where each stands, which reference to an environment variable fits there.

A value is never pasted into a script. Each `${{ }}` becomes a reference that is fitted to its place: bare
`"${DAGRUN_X1}"`, in double quotes and in an unquoted heredoc `${DAGRUN_X1}`, in single quotes `'"${DAGRUN_X1}"'`. In a
comment it stays as it is and is not evaluated.

The promise: a value reaches the script as one piece of data, which the task's own shell never parses, splits, globs or
expands again. Where a place makes that impossible, or where it cannot be told, the value is refused. Beyond the promise
a short table of programs (`rules/programs`) finds the common mistake: a value in the text of `sh -c` and its like. What
a program does with data that it is handed or reads is the script's affair: `eval "$x"`, `sh file`, `make X=..`.
"""

from __future__ import annotations

from dagrun.language.scripts.fitting import Fitted, ScriptProblems, Variable, fit
from dagrun.language.scripts.rules import is_evaluated
from dagrun.language.scripts.shell import SHELLS
from dagrun.language.scripts.shell_language import Bashism, bashisms

__all__ = ["SHELLS", "Bashism", "Fitted", "ScriptProblems", "Variable", "bashisms", "fit", "is_evaluated"]
