"""The kind `noop`: nothing is done; a join, or a place to hang something on."""

from __future__ import annotations

from dagrun.core.work import Nothing
from dagrun.kinds.kind import Kind

KIND = Kind(name="noop", label=lambda _: "noop", body=lambda *_: (Nothing(), {}))
