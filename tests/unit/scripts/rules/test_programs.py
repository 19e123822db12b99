"""Programs that run code, and which of their arguments it is."""

from __future__ import annotations

import pytest

from tests.unit.scripts.helpers import fitted, refused


@pytest.mark.parametrize(
    ("script", "becomes"),
    [
        ("sh -c 'f \"$1\"' _ X", 'sh -c \'f "$1"\' _ "${X}"'),
        ("python script.py --region X", 'python script.py --region "${X}"'),
        ("awk -v x=X '{ print x }' f", "awk -v x=\"${X}\" '{ print x }' f"),
        ("echo python X", 'echo python "${X}"'),
    ],
)
def test_an_argument_that_is_no_program_text_is_fitted(script: str, becomes: str) -> None:
    assert fitted(script) == becomes


@pytest.mark.parametrize(
    ("script", "who"),
    [
        ("sh -c X", "sh"),
        ("sudo bash -lc 'X'", "bash"),
        ("find . -exec sh -c 'X' ';'", "sh"),
        ("ssh host X", "ssh"),
        ("python3.12 -Ic 'X'", "python"),
        ("perl -ne X", "perl"),
        ("sed s/a/X/", "sed"),
        ("awk -e X", "awk"),
        ("$SHELL -c X", "sh"),
        ('"$VENV/bin/python" -c X', "python"),
        ("$BIN/sh -c X", "sh"),
        ("$RUN -c X", "the command"),
        ("psql -c 'X'", "psql"),
        ("node --eval=X", "node"),
        ("tool --exec X", "--exec"),
    ],
)
def test_a_program_text_is_refused(script: str, who: str) -> None:
    assert refused(script) == f"'{who}' reads it as code"


def test_a_value_could_be_an_option() -> None:
    assert refused("python X") == "'python' could take the value for an option that holds code"
    assert fitted("python -- X") == 'python -- "${X}"'


def test_a_program_text_may_run_what_comes_in() -> None:
    assert refused("sh -c 'exec sh' <<E\nX\nE") == "the command runs what it reads as code"
    assert fitted("sh -c 'cat' <<E\nX\nE")
