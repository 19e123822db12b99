"""Scripts that go deeper than anyone writes them."""

from __future__ import annotations

import time

import pytest

from tests.unit.language.scripts.helpers import fitted, not_followed, refused


@pytest.mark.parametrize(
    "part",
    ["$(", "(", "{ ", '"$(', "${x:-", "f() ", "((", "if ", "case a in a) ", "[[", "a=(", "a(", "declare ", "$a ", "command ", "<<E "],
)  # fmt: skip
def test_deep_and_long_scripts_are_soon_refused(part: str) -> None:
    began = time.process_time()
    refused(part * 20_000 + "X")
    assert time.process_time() - began < 5


def test_nesting_has_a_bound() -> None:
    assert fitted("{ " * 39 + "echo X" + "; }" * 39)
    assert not_followed("{ " * 40 + "echo X" + "; }" * 40) == "it is nested deeper than 40 levels"


@pytest.mark.parametrize(
    "part",
    ["cat <<E\na\nE\n", "echo a\n", ": a\"b\"'c'$d\n", "sh -c a | sh <<E\na\nE\n", "a=(b); declare -i c\n"],
)
def test_time_is_in_proportion_to_the_length(part: str) -> None:
    began = time.process_time()
    assert fitted(part * 10_000 + "echo X")
    assert time.process_time() - began < 10


@pytest.mark.parametrize("part", ["a ", "$a ", "sh -c a ", "su -c a ", 'a"b"', "{a,", "-e a "])
def test_time_is_in_proportion_to_the_length_of_one_command(part: str) -> None:
    began = time.process_time()
    assert fitted("echo " + part * 20_000 + " X")
    assert time.process_time() - began < 10
