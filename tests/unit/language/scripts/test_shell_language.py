"""Bash syntax in scripts for `sh`."""

from __future__ import annotations

import pytest

from dagrun.language.scripts import Bashism, bashisms


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("f &> log", "&>"), ("f >& log", ">& with a file"), ("f |& g", "|&"), ("f <<< a", "<<<"), ("f <(g)", "<(..)"),
        ("exec {fd}> a", "{name} before a redirection"), ("[[ -n a ]]", "[["), ("((a = 1))", "(("), ("a=(1 2)", "an array"),
        ("a[1]=2", "an array"), ("a+=b", "+="), ("function f { g; }", "function"), ("source a", "source"), ("local -a b", "local -a"),
        ("echo ${a//b/c}", "${a//..}"), ("echo ${a^^}", "${a^^..}"), ("echo ${a:0:1}", "${a:..}"), ("echo ${a[0]}", "${a[..}"),
        ("echo ${!a}", "${!a..}"), ("echo $'a'", "$'..'"), ("echo $[1]", "$[..]"), ("for ((;;)); do :; done", "for (("),
        ("echo {1..5}", "{1..5}"), ("mv a.{b,c}", "{a,b}"), ("[ a == b ]", "=="), ("test a == b", "=="),
        ("set -euo pipefail", "pipefail"), ("declare a=b", "declare"), ("case a in b) c;& esac", ";&"), ("select a in b; do c; done", "select"),
        ("echo -e a", "echo -e"), ("read -a b", "read -a"), ("printf -v a b", "printf -v"), ("trap a ERR", "trap ERR"),
        ("a | (b; [[ c ]])", "[["), ("x=$(y=$(z &> w))", "&>"), ("shopt -s extglob", "shopt"),
    ],
)  # fmt: skip
def test_bash_syntax_is_found(script: str, what: str) -> None:
    assert what in [each.what for each in bashisms(script)]


@pytest.mark.parametrize(
    "script",
    [
        "f >a 2>&1 <&- >&$b", "echo '[[ ((' \"{1..5}\" \\{a,b}", "cat <<E\n[[ a ]] {a,b} <<<\nE", "# source a", "grep [[:alpha:]] a",
        "echo ${a:-b} ${a#b} ${a%%c} ${#a} ${1:+d} $((1 + 2)) ${a}", "local a=b", "f() { g; }", "[ a = b ]", "set -eu", "find . -exec a {} +",
        "awk '{ a[1] == 2 }'", "f & >a", "((a) | b)", "echo a=(", "if a; then b; fi",
    ],
)  # fmt: skip
def test_syntax_of_every_sh_is_not_reported(script: str) -> None:
    assert list(bashisms(script)) == []


def test_each_kind_is_reported_once_with_its_offset() -> None:
    script = "echo ${{ params.a }} $${{ b }}; [[ a ]]; [[ b ]] && f &> c"
    assert list(bashisms(script)) == [Bashism(script.index("[["), "[["), Bashism(script.index("&>"), "&>")]
