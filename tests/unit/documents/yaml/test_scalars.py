"""The values of scalars, with and without a tag."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.unit.documents.yaml.helpers import load, reported


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True), ("False", False), ("TRUE", True), ("null", None), ("~", None), ("", None),
        ("0", 0), ("-12", -12), ("+7", 7), ("0755", 755), ("0o17", 15), ("0x1F", 31),
        ("3.10", 3.1), ("1.", 1.0), (".5", 0.5), ("1e3", 1000.0), ("-1.5E-2", -0.015),
        (".inf", math.inf), ("-.INF", -math.inf), ("1e999", math.inf),
    ],
)  # fmt: skip
def test_unquoted_words_and_numbers_have_the_types_of_yaml_1_2(written: str, value: Any) -> None:
    result = load(f"a: {written}")["a"]
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    "written",
    [
        "on", "off", "yes", "No", "y", "tRUE", "nil", "2024-01-31", "1:30", "12:30:45", "1_000", "0b11", "0X1F",
        "-0x1F", "1e", "e5", ".", "-", "+", "+.nan", "=", "10m", "1.2.3", "٣", "=<<", "-1-",
    ],
)  # fmt: skip
def test_all_other_plain_scalars_are_text(written: str) -> None:
    assert load(f"[{written}, x]" if written != "-" else "[-1-, x]")[0] == (
        written if written != "-" else "-1-"
    )


def test_nan_is_a_float() -> None:
    assert math.isnan(load(".nan"))


@pytest.mark.parametrize("written", ["'true'", '"12"', "|-\n  null", ">-\n  1.5", "''"])
def test_quoted_and_block_scalars_are_text(written: str) -> None:
    assert isinstance(load(f"a: {written}")["a"], str)


def test_a_number_too_long_for_python_stays_text() -> None:
    for number in ("9" * 5000, "0x" + "f" * 5000, "-" + "1" * 100_000):
        assert load(f"a: {number}") == {"a": number}


def test_an_int_that_was_read_can_be_printed() -> None:
    assert str(load("0x" + "f" * 3498))


def test_explicit_tags_decide() -> None:
    text = "[!!str 5, !!int '5', !!float 5, !!bool 'true', !!null '', !!seq [], !!map {}, ! 5, !!str ~]"
    assert load(text) == ["5", 5, 5.0, True, None, [], {}, "5", "~"]


def test_a_huge_float_from_an_int_is_infinite() -> None:
    assert load("!!float " + "9" * 1000) == math.inf


@pytest.mark.parametrize(
    "text",
    [
        "!!int x",
        "!!int 1.5",
        "!!bool 'on'",
        "!!null 0",
        "!!float x",
        "!!seq {}",
        "!!map []",
        "!!map x",
        "!!str []",
    ],
)
def test_a_value_that_does_not_fit_its_tag_is_a_finding(text: str) -> None:
    assert reported(f"a: {text}") == [("1:4", "tag-mismatch")]


@pytest.mark.parametrize(
    "text", ["!secret x", "!!python/object:os.system x", "!!set {}", "!!timestamp 2024-01-31"]
)
def test_other_tags_are_findings(text: str) -> None:
    assert reported(f"a: {text}") == [("1:4", "unknown-tag")]
