"""Roles of the database, and what they may do."""

from __future__ import annotations

from collections.abc import Sequence

from etf_backtest.errors.base import EtfBacktestError


class RoleError(EtfBacktestError):
    """A role cannot be given its rights."""

    def __init__(self, role: str, reason: str, *, remedy: str | None = None) -> None:
        super().__init__(f"role {role!r}: {reason}", remedy=remedy)
        self.role = role
        self.reason = reason


class RoleMissingError(RoleError):
    """There is no such role, and it was not to be created."""

    def __init__(self, role: str) -> None:
        super().__init__(
            role,
            "there is no such role on the server",
            remedy="create it: --create with --password-stdin or --password-file FILE",
        )


class RoleOwnsError(RoleError):
    """It owns what it is to have few rights to: nothing restricts an owner."""

    def __init__(self, role: str, owned: Sequence[str]) -> None:
        shown = ", ".join(owned[:3]) + (f" and {len(owned) - 3} more" if len(owned) > 3 else "")
        super().__init__(
            role,
            f"it owns {shown}, and an owner may do everything to what it owns",
            remedy="make another role the owner first: etf-backtest db grant owner OTHER",
        )
        self.owned = tuple(owned)


class RoleTooPowerfulError(RoleError):
    """It is a superuser, whom nothing restricts."""

    def __init__(self, role: str) -> None:
        super().__init__(
            role,
            "it is a superuser, which may do everything",
            remedy="use another role, or take that from it: ALTER ROLE ... NOSUPERUSER",
        )


class RightsDeniedError(RoleError):
    """Whoever connected may not give these rights."""

    def __init__(self, role: str, user: str, reason: str) -> None:
        super().__init__(
            role,
            f"{user!r} may not grant this: {reason}",
            remedy="connect as a superuser, or as the owner of the database and its tables "
            "(who may create roles, for --create)",
        )
        self.user = user
