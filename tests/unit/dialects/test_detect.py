"""Which dialect a document is written in."""

from __future__ import annotations

import pytest

from tests.unit.harness import shown, told


def test_one_document_has_one_dialect() -> None:
    assert told("name: d\ntasks: [{id: a, run: x}]\njobs: {}") == shown(
        """
        dag.yaml:3:1: error: one document has one dialect, but this one has 'tasks:' and 'jobs:' [two-dialects]
            3 | jobs: {}
              | ^
        """
    )


@pytest.mark.parametrize(("key", "dialect"), [("spec", "steps"), ("jobs", "jobs")])
def test_a_dialect_of_a_later_version_is_refused_by_name(key: str, dialect: str) -> None:
    assert told(f"{key}: {{}}") == shown(
        f"""
        dag.yaml:1:1: error: '{key}:' (the dialect {dialect}) is not supported yet [not-supported-yet]
            1 | {key}: {{}}
              | ^
        """
    )


@pytest.mark.parametrize("document", ["[1, 2]", "hello", "5", "null"])
def test_what_is_no_mapping_is_no_dag(document: str) -> None:
    assert "dag.yaml:1:1: error: a DAG is a mapping with 'tasks:' [no-mapping]" in told(document)


def test_an_empty_file_says_so() -> None:
    assert told("") == shown(
        """
        dag.yaml:1:1: error: the file is empty [empty]
            1 |
              | ^
        """
    )
