"""Scripts that are deeper and longer than people write them."""

from __future__ import annotations

import time

import pytest

from tests.unit.language.scripts.helpers import not_followed, refused, substituted


@pytest.mark.parametrize(
    "part",
    ["$(", "(", "{ ", '"$(', "${x:-", "f() ", "((", "if ", "case a in a) ", "[[", "a=(", "a(", "declare ", "$a ", "command ", "<<E "],
)  # fmt: skip
def test_deep_and_long_scripts_are_refused_quickly(part: str) -> None:
    began = time.process_time()
    refused(part * 5_000 + "X")
    assert time.process_time() - began < 3


def test_nesting_is_limited() -> None:
    assert substituted("{ " * 39 + "echo X" + "; }" * 39)
    assert not_followed("{ " * 40 + "echo X" + "; }" * 40) == "it is nested more than 40 levels deep"


@pytest.mark.parametrize(
    "part",
    ["cat <<E\na\nE\n", "echo a\n", ": a\"b\"'c'$d\n", "sh -c a | sh <<E\na\nE\n", "a=(b); declare -i c\n"],
)
def test_time_is_proportional_to_the_length(part: str) -> None:
    began = time.process_time()
    assert substituted(part * 3_000 + "echo X")
    assert time.process_time() - began < 3


@pytest.mark.parametrize("part", ["a ", "$a ", "sh -c a ", "su -c a ", 'a"b"', "{a,", "-e a "])
def test_time_is_proportional_to_the_length_of_one_command(part: str) -> None:
    began = time.process_time()
    assert substituted("echo " + part * 5_000 + " X")
    assert time.process_time() - began < 3


def test_a_message_repeats_only_the_start_of_a_long_delimiter() -> None:
    assert len(refused("cat <<" + "E" * 10_000 + "\nX\nX")) < 150
