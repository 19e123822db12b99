"""Attempts that need a container: which they are, and how they fail."""

from __future__ import annotations

from pathlib import Path

from dagrun.core.work import Command, Container, Nothing, ServiceBody
from dagrun.executors import containers
from tests.contract.harness import work

SCRIPT = Command(argv=("sh", "-c"), script="true")
IMAGE = Container(image="python:3.12", command=SCRIPT, mount=(), pull="missing")
POSTGRES = ServiceBody("postgres", "postgres:15", {})


def test_an_image_needs_a_container_and_so_does_a_service(tmp_path: Path) -> None:
    assert containers.needed(work(tmp_path, IMAGE))
    assert containers.needed(work(tmp_path, SCRIPT, services=(POSTGRES,)))
    assert not containers.needed(work(tmp_path, SCRIPT))
    assert not containers.needed(work(tmp_path, Nothing()))


def test_the_refusal_names_every_image(tmp_path: Path) -> None:
    ended = containers.refusal(work(tmp_path, IMAGE, services=(POSTGRES,)))
    assert ended.error_type == "NoContainerEngine"
    assert ended.error is not None
    assert ended.error.startswith("no container of 'python:3.12', 'postgres:15': ")
