"""The offset in the document of one character of a scalar."""

from __future__ import annotations

import pytest

from dagrun.documents.yaml.offsets import ScalarOffsets


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
    assert ScalarOffsets(text, start, value).position(value.index("!")) == text.index("!")


def test_an_offset_after_the_last_character_is_the_end() -> None:
    assert ScalarOffsets("a: b", 3, "b").position(1) == 4


def test_offsets_may_be_requested_in_any_order() -> None:
    offsets = ScalarOffsets("a: 'b''cd'", 3, "b'cd")
    assert [offsets.position(offset) for offset in (2, 3, 0, 2, 1)] == [7, 8, 4, 7, 5]
