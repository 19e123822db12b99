"""The offset in the document of one character of a scalar."""

from __future__ import annotations

import pytest

from dagrun.documents.yaml.offsets import position


@pytest.mark.parametrize(
    ("text", "start", "value"),
    [
        ("a: xyz!", 3, "xyz!"),
        ("a: 'it''s!'", 3, "it's!"),
        ('a: "b\\n\\"c!"', 3, 'b\n"c!'),
        ("a: |\n  b\n  c!\n", 3, "b\nc!\n"),
        ("a: >\n  b\n  c!\n", 3, "b c!\n"),
    ],
)
def test_a_character_is_found_after_quotes_escapes_and_indentation(text: str, start: int, value: str) -> None:
    assert position(text, start, value, value.index("!")) == text.index("!")


def test_an_offset_after_the_last_character_is_the_end() -> None:
    assert position("a: b", 3, "b", 1) == 4
