"""The DAG of a run as a document, `dag.json`: what was run, whatever the file says by now."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from dagrun.model import Dag

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@cache
def _adapter() -> TypeAdapter[Dag]:
    from pydantic import TypeAdapter  # 75 ms that listing runs and completing their ids do not need

    return TypeAdapter(Dag)


def to_json(dag: Dag) -> bytes:
    """A DAG as JSON."""
    return _adapter().dump_json(dag)


def from_json(data: bytes) -> Dag:
    """The inverse of `to_json`; raises ValueError for anything else."""
    return _adapter().validate_json(data)
