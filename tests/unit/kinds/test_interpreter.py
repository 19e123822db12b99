"""What runs a script: what `shell` and a `#!` line come to, as command lines and as a language for values."""

from __future__ import annotations

import pytest

from dagrun.core.model import ScriptText
from dagrun.kinds.interpreter import SHELLS, Interpreter, interpreter
from dagrun.language import scripts


def of(shell: str, script: str = "x") -> Interpreter:
    return interpreter(ScriptText((script,), shell))


def test_the_shells_are_those_whose_language_is_read() -> None:
    assert SHELLS == scripts.SHELLS


@pytest.mark.parametrize(
    ("written", "argv"),
    [
        ("sh", "sh -e -c"),
        ("/bin/bash", "/bin/bash -e -c"),
        ("bash -c", "bash -e -c"),
        ("bash -eu", "bash -eu -e -c"),
        ("bash -xc", "bash -x -e -c"),
        ("sh -s", "sh -e -c"),
        ("bash +e", "bash +e -e -c"),
        ("bash --", "bash -e -c"),
        ("bash --norc -o pipefail", "bash --norc -o pipefail -e -c"),
        ("bash -euo pipefail -c", "bash -euo pipefail -e -c"),
        ("bash --rcfile x -l", "bash --rcfile x -l -e -c"),
        ("zsh -opipefail -c", "zsh -opipefail -e -c"),
        ("/usr/bin/env bash", "/usr/bin/env bash -e -c"),
        ("env -S 'bash -u'", "env bash -u -e -c"),
        ("env -u X A=b sh -x", "env -u X A=b sh -x -e -c"),
    ],
)
def test_a_shell_has_e_whatever_other_flags_it_is_given(written: str, argv: str) -> None:
    found = of(written)
    assert found.argv == tuple(argv.split())
    assert found.file_argv == (*argv.split()[:-1], "{0}")
    assert found.shell == found.reader == found.name


@pytest.mark.parametrize(
    ("written", "argv"),
    [
        ("python3", "python3 {0}"),
        ("python3 -u", "python3 -u {0}"),
        ("Rscript", "Rscript {0}"),
        ("/usr/bin/env x", "/usr/bin/env x {0}"),
        ("perl -w {0} a", "perl -w {0} a"),
        ("awk --file={0} data", "awk --file={0} data"),
        ("bash lib.sh", "bash lib.sh {0}"),
        ('env -S "it\'s"', "env it's {0}"),
        ("env -S", "env {0}"),
        ("env", "env {0}"),
    ],
)
def test_any_other_interpreter_gets_a_file(written: str, argv: str) -> None:
    found = of(written)
    assert (found.argv, found.file_argv, found.shell) == (None, tuple(argv.split()), None)
    assert found.reader not in SHELLS


@pytest.mark.parametrize(
    ("written", "file_argv"),
    [
        ("python3 -c", "python3 {0}"),
        ("node -e", "node {0}"),
        ("perl -w -e", "perl -w {0}"),
        ("psql -c", None),
    ],
)
def test_after_c_or_e_it_gets_the_text(written: str, file_argv: str | None) -> None:
    found = of(written)
    assert found.argv == tuple(written.split())
    assert found.file_argv == (None if file_argv is None else tuple(file_argv.split()))


def test_the_placeholder_of_a_shell_says_where_the_file_goes() -> None:
    assert of("bash -x {0} a").file_argv == ("bash", "-x", "-e", "{0}", "a")
    assert of("bash -c {0}").file_argv == ("bash", "-e", "{0}")


@pytest.mark.parametrize(
    ("line", "argv", "shell"),
    [
        ("#!/bin/bash", "/bin/bash {0}", "bash"),
        ("#! /bin/sh -eu", "/bin/sh -eu {0}", "sh"),
        ("#!/usr/bin/env bash", "/usr/bin/env bash {0}", "bash"),
        ("#!/usr/bin/env -S bash -x", "/usr/bin/env bash -x {0}", "bash"),
        ("#!/usr/bin/env python3", "/usr/bin/env python3 {0}", None),
        ("#!/usr/bin/perl -w", "/usr/bin/perl -w {0}", None),
        ("#!/bin/bash lib.sh", "/bin/bash lib.sh {0}", None),
        ("#!/bin/bash -c", "/bin/bash -c {0}", None),
        ("#!/usr/bin/env -S it's", "/usr/bin/env it's {0}", None),
        ("#!/usr/bin/env ${{ params.x }}", "/usr/bin/env ${{ params.x }} {0}", None),
    ],
)
def test_a_script_is_run_by_what_its_first_line_names(line: str, argv: str, shell: str | None) -> None:
    found = of("ksh", f"{line}\nx")
    assert (found.argv, found.file_argv, found.shell) == (None, tuple(argv.split()), shell)
    assert (found.reader in SHELLS) is (shell is not None)


def test_a_first_line_that_names_nothing_is_a_comment() -> None:
    assert of("bash", "#!\nx") == of("bash") == of("bash", "# !/bin/sh") == of("bash", "\n#!/bin/sh")


def test_no_value_reaches_a_shell_without_its_environment() -> None:
    found = of("env -i bash")
    assert (found.shell, found.reader) == ("bash", "env -i")
    assert found.argv == ("env", "-i", "bash", "-e", "-c")
