"""What values are made of: frozen structs, which are made and compared by compiled code.

A class of its own costs a start of dagrun 0.02 ms; a frozen dataclass costs 0.4 ms and more.
"""

from __future__ import annotations

from typing import dataclass_transform

import msgspec
from msgspec import field as field
from msgspec.structs import asdict as asdict
from msgspec.structs import replace as replace


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Value(msgspec.Struct, frozen=True):
    """The base class of all values. Its subclasses are frozen, and equal when their fields are."""
