"""The queries of the application that have an index of their own, by name.

They are what docs/database.md lists under "Indexes", each with values that the database has: a
query that finds nothing says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Query:
    """One query, and where its parameters come from."""

    name: str
    question: str
    """What it answers, in words."""
    sql: str
    values: str
    """A query for one row: the parameters."""
    indexes: tuple[str, ...]
    """Those that are there for it; with few rows PostgreSQL does well without."""


_NOBODY: Final = "'00000000-0000-0000-0000-000000000000'::uuid"
_USER: Final = f"SELECT coalesce((SELECT user_id FROM portfolios LIMIT 1), {_NOBODY})"
_PORTFOLIO: Final = f"SELECT coalesce((SELECT id FROM portfolios LIMIT 1), {_NOBODY})"
_STRATEGY: Final = f"SELECT coalesce((SELECT id FROM strategies LIMIT 1), {_NOBODY})"
_SYMBOL: Final = "SELECT coalesce((SELECT symbol FROM price_series LIMIT 1), 'SPY')"
_FUND: Final = "SELECT coalesce((SELECT symbol FROM etf_info LIMIT 1), 'SPY')"
_EMAIL: Final = "SELECT coalesce((SELECT email FROM users LIMIT 1), 'nobody@example.org')"
_NOTHING: Final = "SELECT WHERE true"

_ALL: Final = (
    Query(
        "user-portfolios",
        "a user's portfolios, with holdings",
        "SELECT * FROM portfolios p LEFT JOIN portfolio_holdings h ON h.portfolio_id = p.id"
        " WHERE p.user_id = $1",
        _USER,
        ("portfolios_user_id_name_key", "portfolio_holdings_portfolio_id_symbol_key"),
    ),
    Query(
        "public-portfolios",
        "portfolios that everybody may see",
        "SELECT * FROM portfolios WHERE is_public ORDER BY name LIMIT 50",
        _NOTHING,
        ("portfolios_public_name_idx",),
    ),
    Query(
        "shared-backtests",
        "backtests that are shared, newest first",
        "SELECT id, name FROM backtests WHERE is_shared ORDER BY created_at DESC LIMIT 50",
        _NOTHING,
        ("backtests_shared_created_at_idx",),
    ),
    Query(
        "holders-of-symbol",
        "portfolios that hold a symbol",
        "SELECT * FROM portfolio_holdings WHERE symbol = $1",
        "SELECT coalesce((SELECT symbol FROM portfolio_holdings LIMIT 1), 'SPY')",
        ("portfolio_holdings_symbol_idx",),
    ),
    Query(
        "user-backtests",
        "a user's latest backtests, with metrics",
        "SELECT b.id, b.name, b.status, m.* FROM backtests b LEFT JOIN performance_metrics m"
        " ON m.backtest_id = b.id WHERE b.user_id = $1 ORDER BY b.created_at DESC LIMIT 20",
        _USER,
        ("backtests_user_id_created_at_idx", "performance_metrics_backtest_id_key"),
    ),
    Query(
        "portfolio-backtests",
        "backtests of a portfolio",
        "SELECT id, name, status FROM backtests WHERE portfolio_id = $1",
        _PORTFOLIO,
        ("backtests_portfolio_id_idx",),
    ),
    Query(
        "strategy-backtests",
        "backtests by a strategy",
        "SELECT id, name, status FROM backtests WHERE strategy_id = $1",
        _STRATEGY,
        ("backtests_strategy_id_idx",),
    ),
    Query(
        "next-backtests",
        "the next backtests to run",
        "SELECT id FROM backtests WHERE status = 'pending' ORDER BY queued_at LIMIT 10",
        _NOTHING,
        ("backtests_status_queued_at_idx",),
    ),
    Query(
        "backtests-by-result",
        "backtests whose results contain something",
        "SELECT id, name FROM backtests WHERE results @> $1",
        """SELECT '{"schema": 0}'::jsonb""",
        ("backtests_results_idx",),
    ),
    Query(
        "series",
        "a symbol's whole series",
        "SELECT * FROM market_data WHERE symbol = $1 ORDER BY date",
        _SYMBOL,
        ("market_data_symbol_date_key",),
    ),
    Query(
        "series-window",
        "a year of a symbol's series",
        "SELECT date, close FROM market_data WHERE symbol = $1 AND date > $2 AND date <= $3"
        " ORDER BY date",
        "WITH s AS (SELECT coalesce((SELECT symbol FROM price_series LIMIT 1), 'SPY') AS symbol),"
        " d AS (SELECT coalesce((SELECT max(date) FROM market_data WHERE symbol = s.symbol),"
        " current_date) AS last FROM s)"
        " SELECT s.symbol, d.last - 365, d.last FROM s, d",
        ("market_data_symbol_date_key",),
    ),
    Query(
        "last-price",
        "a symbol's last price",
        "SELECT * FROM market_data WHERE symbol = $1 ORDER BY date DESC LIMIT 1",
        _SYMBOL,
        ("market_data_symbol_date_key",),
    ),
    Query(
        "price-state",
        "what of a symbol's prices was changed after a state",
        "SELECT * FROM market_data_history WHERE symbol = $1 AND valid_to > $2"
        " AND valid_from <= $2",
        "SELECT coalesce((SELECT symbol FROM market_data_history LIMIT 1), 'SPY'), 1::bigint",
        ("market_data_history_symbol_valid_to_idx",),
    ),
    Query(
        "state-known-at",
        "the state of the prices that was known at a moment",
        "SELECT number FROM price_revisions WHERE known_at <= now() ORDER BY known_at DESC LIMIT 1",
        _NOTHING,
        ("price_revisions_known_at_idx",),
    ),
    Query(
        "series-revision",
        "in which revision a series has changed",
        "SELECT s.symbol, r.id FROM price_series s JOIN price_revisions r ON r.number = s.revision"
        " WHERE s.symbol = $1",
        _SYMBOL,
        ("price_series_symbol_key", "price_revisions_number_key"),
    ),
    Query(
        "packed-series",
        "a packed series",
        "SELECT revision, sessions FROM packed_prices WHERE symbol = $1",
        _SYMBOL,
        ("packed_prices_symbol_key",),
    ),
    Query(
        "fund-facts",
        "a fund's facts until today",
        "SELECT * FROM etf_facts WHERE symbol = $1 AND valid_from <= current_date",
        _FUND,
        ("etf_facts_symbol_valid_from_key",),
    ),
    Query(
        "fund-proxy",
        "a fund's proxy",
        "SELECT * FROM etf_proxies WHERE symbol = $1",
        _FUND,
        ("etf_proxies_symbol_key",),
    ),
    Query(
        "proxy-for",
        "the funds that a symbol stands in for",
        "SELECT * FROM etf_proxies WHERE proxy_symbol = $1",
        _FUND,
        ("etf_proxies_proxy_symbol_idx",),
    ),
    Query(
        "fund",
        "an ETF",
        "SELECT * FROM etf_info WHERE symbol = $1",
        _FUND,
        ("etf_info_symbol_key",),
    ),
    Query(
        "category",
        "the ETFs of a category",
        "SELECT symbol, name FROM etf_info WHERE category = $1",
        "SELECT coalesce((SELECT category FROM etf_info WHERE category IS NOT NULL LIMIT 1), '')",
        ("etf_info_category_idx",),
    ),
    Query(
        "sector",
        "the ETFs of a sector",
        "SELECT symbol, name FROM etf_info WHERE sector = $1",
        "SELECT coalesce((SELECT sector FROM etf_info WHERE sector IS NOT NULL LIMIT 1), '')",
        ("etf_info_sector_idx",),
    ),
    Query(
        "strategies-of-type",
        "strategies by type",
        "SELECT * FROM strategies WHERE type = 'momentum'",
        _NOTHING,
        ("strategies_type_idx",),
    ),
    Query(
        "user-strategies",
        "a user's strategies",
        "SELECT * FROM strategies WHERE user_id = $1",
        _USER,
        ("strategies_user_id_name_key",),
    ),
    Query(
        "system-strategy",
        "a strategy of the system by name",
        "SELECT * FROM strategies WHERE user_id IS NULL AND name = $1",
        "SELECT coalesce((SELECT name FROM strategies WHERE user_id IS NULL LIMIT 1), '')",
        ("strategies_system_name_key",),
    ),
    Query(
        "strategies-by-parameter",
        "strategies by a parameter",
        "SELECT * FROM strategies WHERE parameters @> $1",
        """SELECT '{"look_back": 12}'::jsonb""",
        ("strategies_parameters_idx",),
    ),
    Query(
        "user-by-email",
        "a user by e-mail, whatever its case",
        "SELECT id FROM users WHERE lower(email) = lower($1)",
        _EMAIL,
        ("users_email_lower_key",),
    ),
    Query(
        "user-tokens",
        "a user's tokens",
        "SELECT * FROM user_tokens WHERE user_id = $1",
        _USER,
        ("user_tokens_user_id_idx",),
    ),
    Query(
        "expired-tokens",
        "tokens that have expired",
        "SELECT id FROM user_tokens WHERE expires_at < now() - interval '1 year'",
        _NOTHING,
        ("user_tokens_expires_at_idx",),
    ),
    Query(
        "sign-in-throttle",
        "failed sign-ins for an address",
        "SELECT * FROM sign_in_throttles WHERE subject = $1",
        "SELECT sha256('nobody@example.org')",
        ("sign_in_throttles_subject_key",),
    ),
    Query(
        "old-throttles",
        "failed sign-ins that no longer count",
        "SELECT id FROM sign_in_throttles WHERE blocked_until < now() - interval '1 year'",
        _NOTHING,
        ("sign_in_throttles_blocked_until_idx",),
    ),
)
QUERIES: Final = MappingProxyType({query.name: query for query in _ALL})
