"""The kind `noop`: nothing is done; a join, or an anchor for dependencies."""

from __future__ import annotations

from typing import Literal

from dagrun.core.model import Action
from dagrun.kinds.kind import Kind, PreparedBody, StartContext
from dagrun.value import Value


class NoAction(Value, Action):
    """Do nothing."""

    kind: Literal["noop"] = "noop"


def _start(_: NoAction, __: StartContext) -> PreparedBody:
    from dagrun.core.work import Nothing

    return PreparedBody(Nothing())


KIND = Kind(
    name="noop",
    action=NoAction,
    keys=(),
    read=lambda _: NoAction(),
    label=lambda _: "noop",
    start=_start,
    can_fail=False,
)
