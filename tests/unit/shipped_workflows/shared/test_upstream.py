"""Values that upstream tasks passed."""

from __future__ import annotations

from dagrun.shipped_workflows.shared.upstream import upstream_values


def test_values_are_sorted_by_task_and_other_keys_left_out() -> None:
    upstream = {"b__summary": 2, "a__summary": 1, "a__items": 3, "summary": 4}
    assert upstream_values(upstream, "summary") == [("a", 1), ("b", 2)]


def test_a_matrix_task_has_one_value_per_variant() -> None:
    assert upstream_values({"t__n": {"os=a": 1, "os=b": 2}}, "n") == [("t[os=a]", 1), ("t[os=b]", 2)]
