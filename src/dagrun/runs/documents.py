"""The DAG of a run as a document, `dag.json`: what was run, whatever the file says by now."""

from __future__ import annotations

from functools import cache

from pydantic import TypeAdapter

from dagrun.model import Dag


@cache
def _adapter() -> TypeAdapter[Dag]:
    return TypeAdapter(Dag)


def to_json(dag: Dag) -> bytes:
    """A DAG as JSON."""
    return _adapter().dump_json(dag)


def from_json(data: bytes) -> Dag:
    """The inverse of `to_json`; raises ValueError for anything else."""
    return _adapter().validate_json(data)
