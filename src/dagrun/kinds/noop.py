"""The kind `noop`: nothing is done; a join, or a place to hang something on."""

from __future__ import annotations

from dagrun.kinds.base import Kind
from dagrun.work import Nothing

KIND = Kind(name="noop", label=lambda _: "noop", body=lambda *_: (Nothing(), {}))
