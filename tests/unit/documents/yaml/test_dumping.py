"""Plain data as YAML text."""

from __future__ import annotations

from dagrun.documents.yaml import Source, dump


def test_keys_keep_their_order_and_text_its_characters() -> None:
    assert dump({"b": 1, "a": "é"}) == "b: 1\na: é\n"


def test_data_is_read_back_as_it_was() -> None:
    data = {"a": [1, "2", None, {"b": "c: d"}], "e": "x\ny"}
    assert Source.inline(dump(data)).load() == data
