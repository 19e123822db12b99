"""Scripts with X for a `${{ }}`: the result of the substitution, or why it is refused."""

from __future__ import annotations

import pytest

from dagrun.language.scripts import ScriptProblems, substitute


def substituted(script: str, shell: str = "bash") -> str:
    """The script with X for the placeholder, and with X for the variable in the result."""
    return substitute(script.replace("X", "${{ params.x }}"), shell).script.replace("DAGRUN_X1", "X")


def refused(script: str, shell: str = "bash") -> str:
    """Why the first placeholder is refused. All of them must be, each at its offset."""
    text = script.replace("X", "${{ params.x }}")
    with pytest.raises(ScriptProblems) as caught:
        substitute(text, shell)
    assert [error.offset for error in caught.value.errors] == positions(text)
    messages = [error.message for error in caught.value.errors]
    start, end = "a value cannot be used here: ", "; put it in `env:` and read the variable"
    assert all(message.startswith(start) and message.endswith(end) for message in messages)
    return messages[0].removeprefix(start).removesuffix(end)


def not_followed(script: str, shell: str = "bash") -> str:
    """Why the scanner gave up in the script."""
    reason = refused(script, shell)
    assert reason.startswith("dagrun cannot follow the script up to here (")
    return reason.removeprefix("dagrun cannot follow the script up to here (").removesuffix(")")


def positions(text: str) -> list[int]:
    return [at for at in range(len(text)) if text.startswith("${{", at)]
