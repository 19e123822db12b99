"""Roles, from the lowest to the highest."""

from __future__ import annotations

import pytest

from dagrun.roles import ROLES, Role, role_of


def test_each_role_may_do_what_lower_ones_may() -> None:
    assert [[role.allows(required) for required in ROLES] for role in ROLES] == [
        [True, False, False], [True, True, False], [True, True, True],
    ]  # fmt: skip


def test_a_role_is_named_in_any_case() -> None:
    assert (role_of("operator"), role_of(" ADMIN ")) == (Role.OPERATOR, Role.ADMIN)
    with pytest.raises(ValueError, match="'boss' is no role: there are Viewer, Operator, Admin"):
        role_of("boss")
