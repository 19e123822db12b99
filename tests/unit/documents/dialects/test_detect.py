"""The dialect of a document."""

from __future__ import annotations

import pytest

from tests.unit.harness import read, reported, shown


def test_one_document_has_one_dialect() -> None:
    assert reported("name: d\ntasks: [{id: a, run: x}]\njobs: {}") == shown(
        """
        dag.yaml:3:1: error: a document has one dialect, but this one has 'tasks:' and 'jobs:' [two-dialects]
            3 | jobs: {}
              | ^
          help: keep one of them, or write two documents
        """
    )


def test_of_two_dialects_the_second_key_is_reported() -> None:
    assert reported("jobs: {}\nname: d\nspec: {}").startswith(
        "dag.yaml:3:1: error: a document has one dialect, but this one has 'jobs:' and 'spec:'"
    )


@pytest.mark.parametrize(
    "document",
    ["tasks: [{id: a, run: x}]", "spec: {steps: [{name: a, run: x}]}", "steps: [{name: a, run: x}]", "jobs: {a: {run: x}}"],
)  # fmt: skip
def test_the_top_level_key_decides_the_dialect(document: str) -> None:
    assert [task.id for task in read(document).tasks] == ["a"]


@pytest.mark.parametrize("document", ["[1, 2]", "hello", "5", "null"])
def test_a_document_must_be_a_mapping(document: str) -> None:
    assert "dag.yaml:1:1: error: a DAG is a mapping with 'tasks:' [no-mapping]" in reported(document)


def test_an_empty_file_says_so() -> None:
    assert reported("") == shown(
        """
        dag.yaml:1:1: error: the file is empty [empty]
            1 |
              | ^
        """
    )


def test_a_resource_without_a_spec_has_no_steps() -> None:
    assert reported("apiVersion: v1\nmetadata: {name: d}") == shown(
        """
        dag.yaml:1:1: error: ValidationError: DAG must have at least one task [no-tasks]
            1 | apiVersion: v1
              | ^
          help: write the steps under 'steps:'
        """
    )
