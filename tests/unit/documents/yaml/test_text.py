"""Lines of a text."""

from __future__ import annotations

from dagrun.documents.yaml import Source


def test_lines() -> None:
    source = Source.inline("one\r\ntwo\rthree\nfour\u2028five\n")
    assert [source.line(n) for n in range(8)] == ["", "one", "two", "three", "four", "five", "", ""]
