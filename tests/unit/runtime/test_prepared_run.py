"""A prepared run: what of it is recorded, and how many attempts it may run at once."""

from __future__ import annotations

import os

from dagrun.core.graph import Graph
from dagrun.registry import Registry
from dagrun.runtime.prepared_run import PreparedRun, default_parallel
from dagrun.value import replace
from tests.unit.harness import chain

RUN = PreparedRun(
    Graph.compile(chain("a")), "", {"url": "https://s3cr3t@host", "n": 1}, Registry(), {"TOKEN": "s3cr3t"}
)


def test_secrets_in_parameters_are_masked_in_the_record() -> None:
    assert RUN.recorded_params == {"url": "https://***@host", "n": 1}
    assert RUN.masked_params == ("url",)


def test_secrets_are_not_part_of_its_representation() -> None:
    assert "TOKEN" not in repr(RUN)


def test_the_document_limits_concurrent_attempts_else_the_cpus_do() -> None:
    assert default_parallel(replace(chain("a"), max_parallel=2)) == 2
    assert default_parallel(chain("a")) == max(4, os.cpu_count() or 1)
