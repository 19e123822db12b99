"""The limits that are common to all dialects."""

from __future__ import annotations

from dagrun.documents.dialects.detect import to_dag
from dagrun.documents.dialects.reader import MAX_FINDINGS
from dagrun.documents.yaml import Source


def test_reading_stops_at_a_thousand_errors() -> None:
    source = Source.inline("tasks: [" + "1, " * 50_000 + "]")
    parsed = to_dag(source.load(), source, "d")
    assert len(parsed.findings) == MAX_FINDINGS + 1
    assert parsed.findings[-1].message == "there are more errors than the 1,000 above; correct those first"
    assert parsed.dag.tasks == ()


def test_fewer_errors_are_all_reported() -> None:
    source = Source.inline("tasks: [" + "1, " * 500 + "]")
    parsed = to_dag(source.load(), source, "d")
    assert len(parsed.findings) == 500
    assert parsed.broken == frozenset(range(500))
