"""The roles of people who answer approvals."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """A role. Each may do what those before it may."""

    VIEWER = "Viewer"
    OPERATOR = "Operator"
    ADMIN = "Admin"

    def allows(self, required: Role) -> bool:
        """Whether it is the required role or a higher one."""
        return ROLES.index(self) >= ROLES.index(required)


#: From the lowest to the highest.
ROLES: Final = tuple(Role)


def role_of(name: str) -> Role:
    """The role of that name; its case does not matter. Raises ValueError."""
    for role in ROLES:
        if role.lower() == name.strip().lower():
            return role
    raise ValueError(f"'{name}' is no role: there are {', '.join(ROLES)}")
