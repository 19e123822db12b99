"""The model's own rules: names and durations."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.core.model import Dag, Retry, RetryDefaults, is_name, seconds
from tests.unit.harness import task


@pytest.mark.parametrize("name", ["a", "A-b_c.d", "9lives", "x" * 128, "a..b"])
def test_a_name(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name", ["", "-a", ".a", "_a", "../x", "a/b", "a b", "ä", "a\n", "a\0", "x" * 129, "$(rm)", "a%2F"]
)
def test_no_name(name: str) -> None:
    assert not is_name(name)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (90, 90), (0, 0), (1.5, 1.5), ("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5h", 5400),
        ("250ms", 0.25), ("1h1m1s1ms", 3661.001), ("5m5ms", 300.005), (" 10m ", 600),
    ],
)  # fmt: skip
def test_a_duration(written: object, expected: float) -> None:
    assert seconds(written) == pytest.approx(expected)


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "soon",
        "1h30",
        "30m1h",
        "-1",
        -1,
        "1d",
        "1 h",
        "m",
        True,
        None,
        [],
        math.nan,
        math.inf,
        10**10,
        "1e3",
    ],
)
def test_no_duration(written: object) -> None:
    with pytest.raises(ValueError, match="not a duration; write a number of seconds, or text such as '90s'"):
        seconds(written)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_the_parts_of_a_duration_add_up(hours: int, minutes: int, secs: int) -> None:
    assert seconds(f"{hours}h{minutes}m{secs}s") == hours * 3600 + minutes * 60 + secs


def test_values_are_frozen() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        Dag(name="d", tasks=(task("a"),)).name = "e"  # type: ignore[misc]


def test_a_task_knows_its_kind() -> None:
    assert task("a").kind == "shell"


# --- the delay before a retry ---


@pytest.mark.parametrize(("attempt", "delay"), [(1, 0.5), (2, 1.0), (3, 2.0), (9, 60.0), (5000, 60.0)])
def test_delays_grow_up_to_their_maximum(attempt: int, delay: float) -> None:
    assert RetryDefaults().delay(Retry(initial=0.5, jitter=0.0), attempt, 0.9) == delay


def test_a_retry_takes_what_it_leaves_out_from_the_settings() -> None:
    defaults = RetryDefaults(initial=2.0, jitter=0.5)
    assert [defaults.delay(Retry(), 1, chance) for chance in (0.0, 0.5, 0.999999)] == [1.0, 2.0, 3.0]
