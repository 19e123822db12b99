"""Scripts with `${{ }}` in them: each becomes a reference to an environment variable, quoted for where it is written.

A value is never pasted into a script. A `${{ }}` outside quotes becomes `"${DAGRUN_X1}"`, one in double quotes or in an
unquoted heredoc `${DAGRUN_X1}`, one in single quotes `'"${DAGRUN_X1}"'`. In a comment it stays as it is and is not evaluated.

The promise: a value reaches the script as one piece of data, which the task's own shell never parses, splits, globs or
expands again. Where that is impossible, or where the scanner cannot follow the script, the value is refused. Beyond the
promise, a short table of programs (`rules/programs`) finds the common mistake: a value in the program text of `sh -c` and
similar commands. What a program does with data that it is passed or reads is up to the script: `eval "$x"`, `sh file`,
`make X=..`.
"""

from __future__ import annotations

from dagrun.language.scripts.rules import is_evaluated
from dagrun.language.scripts.shell import SHELLS
from dagrun.language.scripts.shell_language import Bashism, bashisms
from dagrun.language.scripts.substitution import ScriptProblems, SubstitutedScript, Variable, substitute

__all__ = [
    "SHELLS",
    "Bashism",
    "ScriptProblems",
    "SubstitutedScript",
    "Variable",
    "bashisms",
    "is_evaluated",
    "substitute",
]
