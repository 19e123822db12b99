"""Patterns that are compiled at first use, and tables of phrases."""

from __future__ import annotations

import re

import pytest

from dagrun.shipped_workflows.shared.pattern import Pattern, phrases


def test_a_pattern_is_compiled_at_first_use() -> None:
    broken = Pattern("(")
    with pytest.raises(re.error):
        broken.search("x")


def test_a_phrase_matches_in_any_case_with_or_without_its_apostrophe() -> None:
    pattern = phrases("don't know\nno idea")
    assert all(pattern.search(text) for text in ("I dont  know", "I DON’T know", "No idea."))
    assert not pattern.search("no ideas")


def test_an_opening_phrase_follows_nothing_but_fillers() -> None:
    pattern = phrases("let's go", opening=True)
    assert pattern.match("Okay, well, let's go")
    assert not pattern.match("They said let's go")
