"""The names of services and artifacts."""

from __future__ import annotations

import pytest

from dagrun.documents.dialects.task_parts import artifact_name, base_name


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("postgres", "postgres"), ("postgres:15", "postgres"), ("ghcr.io/org/postgres:15", "postgres"),
        ("host:5000/redis@sha256:1f", "redis"), ("pg:${{ matrix.version }}", "pg"),
        ("${{ params.registry }}/pg:1", "pg"), ("${{ params.image }}", None), ("org/", None),
    ],
)  # fmt: skip
def test_a_service_has_the_name_of_its_image(image: str, name: str | None) -> None:
    assert base_name(image) == name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("out/a.txt", "out/a.txt"), ("./out//a", "out/a"), ("a/../b", "b"), ("/build/digest.txt", "digest.txt"),
        ("*.xml", "*.xml"), ("../a", None), ("a/../../b", None), ("/", None),
    ],
)  # fmt: skip
def test_an_artifact_is_named_by_its_path_in_the_working_directory(path: str, name: str | None) -> None:
    assert artifact_name(path) == name
