"""What each kind of role may do. A table that is not named here is nobody's but its owner's.

`tests/integration/security/test_roles.py` compares the names with a migrated database, so that a
new table is decided about.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class RoleKind(StrEnum):
    """What a role is for."""

    OWNER = "owner"
    APP = "app"
    READONLY = "readonly"


_NONE: Final = frozenset[str]()
_READ: Final = frozenset({"SELECT"})
_ADD: Final = _READ | {"INSERT"}
_NOTE: Final = _ADD | {"UPDATE"}
_WRITE: Final = _NOTE | {"DELETE"}

TABLES: Final[Mapping[str, frozenset[str]]] = {
    "users": _WRITE,
    "user_tokens": _WRITE,
    "sign_in_throttles": _WRITE,
    "portfolios": _WRITE,
    "portfolio_holdings": _WRITE,
    "strategies": _WRITE,
    "backtests": _WRITE,
    "performance_metrics": _WRITE,
    "market_data": _WRITE,
    # what prices were is added to by triggers, which run with the rights of the writer
    "market_data_history": _ADD,
    "price_revisions": _NOTE,
    "price_series": _NOTE,
    "packed_prices": _NOTE,
    "etf_info": _WRITE,
    "etf_facts": _WRITE,
    "etf_proxies": _WRITE,
    # which migrations were applied: db doctor and migrate status look
    "_prisma_migrations": _READ,
}
"""Our tables, and what the application does with each."""

HIDDEN: Final = frozenset({"user_tokens", "sign_in_throttles"})
"""Tables that a role for reading may not read."""
HIDDEN_COLUMNS: Final[Mapping[str, frozenset[str]]] = {"users": frozenset({"password_hash"})}
"""Columns that it may not read, of tables that it may."""

FUNCTIONS: Final = frozenset(
    {
        *("set_updated_at", "check_portfolio_allocation", "check_backtest_status"),
        *("current_price_revision", "begin_price_revision", "set_price_revision"),
        *("note_price_revision", "complete_price_revision", "keep_inserted_prices"),
        *("keep_updated_prices", "keep_deleted_prices", "refuse_change_of_history"),
        *("resolve_etf_facts", "withdraw_etf_fact", "state_etf_facts", "show_newest_etf_facts"),
        "tell_backtest_queue",
    }
)
TYPES: Final = frozenset(
    {"subscription_tier", "strategy_type", "backtest_status", "etf_status", "token_purpose"}
)


def database_rights(kind: RoleKind) -> frozenset[str]:
    """To the database itself: imports stage prices in temporary tables, migrations make schemas."""
    return {
        RoleKind.OWNER: frozenset({"CONNECT", "CREATE", "TEMPORARY"}),
        RoleKind.APP: frozenset({"CONNECT", "TEMPORARY"}),
        RoleKind.READONLY: frozenset({"CONNECT"}),
    }[kind]


def schema_rights(kind: RoleKind) -> frozenset[str]:
    """To our schema, and to the queue's."""
    return frozenset({"USAGE", "CREATE"} if kind is RoleKind.OWNER else {"USAGE"})


def table_rights(kind: RoleKind, table: str) -> frozenset[str]:
    """To one of our tables as a whole; an owner needs none."""
    if kind is RoleKind.APP:
        return TABLES.get(table, _NONE)
    if (
        kind is RoleKind.READONLY
        and table in TABLES
        and table not in HIDDEN | HIDDEN_COLUMNS.keys()
    ):
        return _READ
    return _NONE


def column_rights(kind: RoleKind, table: str, column: str) -> frozenset[str]:
    """To a column of a table that may be read in part."""
    hidden = HIDDEN_COLUMNS.get(table)
    if kind is not RoleKind.READONLY or hidden is None or column in hidden:
        return _NONE
    return _READ


def queue_rights(kind: RoleKind, what: str) -> frozenset[str]:
    """To a table, sequence or function of the queue: workers write all of them."""
    if kind is RoleKind.APP:
        return {"TABLE": _WRITE, "SEQUENCE": frozenset({"USAGE"})}.get(what, frozenset({"EXECUTE"}))
    if kind is RoleKind.READONLY and what == "TABLE":
        return _READ
    return _NONE


def sequence_rights(kind: RoleKind) -> frozenset[str]:
    """To a sequence that one of our tables numbers its rows with."""
    return frozenset({"USAGE"}) if kind is RoleKind.APP else _NONE
