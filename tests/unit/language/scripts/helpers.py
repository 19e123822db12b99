"""Scripts with X for a `${{ }}`: what they become, or why they are refused."""

from __future__ import annotations

import pytest

from dagrun.language.scripts import ScriptProblems, fit


def fitted(script: str, shell: str = "bash") -> str:
    """The script with X for the hole and for the variable alike."""
    return fit(script.replace("X", "${{ params.x }}"), shell).script.replace("DAGRUN_X1", "X")


def refused(script: str, shell: str = "bash") -> str:
    """Why the first hole is refused; all of them must be, each at its place."""
    text = script.replace("X", "${{ params.x }}")
    with pytest.raises(ScriptProblems) as caught:
        fit(text, shell)
    assert [error.offset for error in caught.value.errors] == positions(text)
    messages = [error.message for error in caught.value.errors]
    start, end = "a value cannot stand here: ", "; put it in `env:` and read the variable"
    assert all(message.startswith(start) and message.endswith(end) for message in messages)
    return messages[0].removeprefix(start).removesuffix(end)


def not_followed(script: str, shell: str = "bash") -> str:
    """Where the scanner loses its way in the script."""
    reason = refused(script, shell)
    assert reason.startswith("the script cannot be followed to here (")
    return reason.removeprefix("the script cannot be followed to here (").removesuffix(")")


def positions(text: str) -> list[int]:
    return [at for at in range(len(text)) if text.startswith("${{", at)]
