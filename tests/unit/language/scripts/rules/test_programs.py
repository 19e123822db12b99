"""Programs that execute code, and which of their arguments are code."""

from __future__ import annotations

import pytest

from tests.unit.language.scripts.helpers import refused, substituted


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
        ("python3 X --region X", 'python3 "${X}" --region "${X}"'),
        ("ssh X uptime", 'ssh "${X}" uptime'),
        ("bash <(curl X)", 'bash <(curl "${X}")'),
        ("echo X | xargs sh -c 'wc \"$@\"' _", 'echo "${X}" | xargs sh -c \'wc "$@"\' _'),
        ("./script -c X", './script -c "${X}"'),
        ("parallel gzip ::: X", 'parallel gzip ::: "${X}"'),
    ],
)
def test_an_argument_that_is_not_program_text_is_allowed(script: str, becomes: str) -> None:
    assert substituted(script) == becomes


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
    assert refused(script) == f"'{who}' executes it as code"


@pytest.mark.parametrize(
    "script",
    ["sudo X", "env A=1 X", "nice -n 5 X", "timeout 5 X", "xargs X", "find . -exec X {} +", "nohup X"],
)
def test_a_value_cannot_be_the_command_that_another_one_runs(script: str) -> None:
    assert refused(script) == "it would be the name of a command"
