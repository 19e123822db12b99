"""Programs that run code, and which of their arguments it is."""

from __future__ import annotations

import pytest

from tests.unit.language.scripts.helpers import fitted, refused


@pytest.mark.parametrize(
    ("script", "becomes"),
    [
        ("sh -c 'f \"$1\"' _ X", 'sh -c \'f "$1"\' _ "${X}"'),
        ("python script.py --region X", 'python script.py --region "${X}"'),
        ("awk -v x=X '{ print x }' f", "awk -v x=\"${X}\" '{ print x }' f"),
        ("echo python X", 'echo python "${X}"'),
        ("tool --lang sed X", 'tool --lang sed "${X}"'),
        ("tool --exec X --run X", 'tool --exec "${X}" --run "${X}"'),
        ("$RUN a -c X", '$RUN a -c "${X}"'),
        ("ssh -i X -- X uptime", 'ssh -i "${X}" -- "${X}" uptime'),
        ("sudo -u X timeout X ls X", 'sudo -u "${X}" timeout "${X}" ls "${X}"'),
        ("awk -v name=X '{ print name }'", "awk -v name=\"${X}\" '{ print name }'"),
        ("flock X ls", 'flock "${X}" ls'),
        ("pg_dump X | psql X", 'pg_dump "${X}" | psql "${X}"'),
        ("curl X | sh", 'curl "${X}" | sh'),
        ("echo X | ssh h 'cat >f'", "echo \"${X}\" | ssh h 'cat >f'"),
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
        ("psql -c 'X'", "psql"),
        ("node --eval=X", "node"),
        ("sh -c -- X", "sh"),
        ('bash -c -eu "a X"', "bash"),
        ("docker exec c bash -lc 'X'", "bash"),
        ("su - me -c X", "su"),
        ("xargs sed X", "sed"),
        ("env -S 'X'", "env -S"),
    ],
)
def test_a_program_text_is_refused(script: str, who: str) -> None:
    assert refused(script) == f"'{who}' reads it as code"


def test_a_value_could_be_an_option() -> None:
    assert (
        refused("python X")
        == "'python' could take the value for an option that holds code; write -- before it"
    )
    assert fitted("python -- X") == 'python -- "${X}"'


@pytest.mark.parametrize(
    "script",
    ["sudo X", "env A=1 X", "nice -n 5 X", "timeout 5 X", "xargs X", "find . -exec X {} +", "nohup X"],
)
def test_a_program_that_runs_another_does_not_get_its_name(script: str) -> None:
    assert refused(script) == "it would be the name of a command"
