"""Roles that `db grant` made, and whether they have what they need by now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etf_backtest.database.doctor.finding import Finding
from etf_backtest.database.roles import roles_out_of_date

if TYPE_CHECKING:
    from etf_backtest.database.doctor.finding import Connection
    from etf_backtest.database.url import DatabaseUrl


async def check_rights(connection: Connection, url: DatabaseUrl) -> list[Finding]:
    """Roles of before a migration, and such whose rights somebody has changed."""
    outdated = await roles_out_of_date(connection, url)
    return [
        Finding(
            "rights",
            "warning",
            f"{role.role} has not the rights of {role.kind.value}, or more: {role.statements[0]}",
            f"etf-backtest db grant {role.kind.value} '{role.role}'",
        )
        for role in outdated
    ] or [Finding("rights", "ok", "all roles have what they need, and no more")]
