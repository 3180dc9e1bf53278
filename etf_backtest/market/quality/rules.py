"""The rules by name: what a finding's `rule` can be, and how bad it is."""

from __future__ import annotations

from types import MappingProxyType

from etf_backtest.market.quality.finding import Level

BAR_RULES = MappingProxyType(
    dict.fromkeys(
        (
            "symbol_form",
            "date_range",
            "future_date",
            "price_range",
            "no_close",
            "ohlc_contradiction",
            "volume_range",
            "dividend_range",
            "split_range",
            "duplicate",
        ),
        Level.REJECT,
    )
)
"""Over rows, each by itself (`check_bars`). docs/prices.md says what each one demands."""

SERIES_RULES = MappingProxyType(
    dict.fromkeys(
        (
            "missing_sessions",
            "extra_session",
            "stale_run",
            "zero_volume",
            "price_spike",
            "unrecorded_split",
            "outlier_jump",
            "dividend_above_close",
            "distribution_without_close",
            "distribution_off_session",
            "split_adjusted_unclear",
            "split_adjusted_contradicted",
            "split_ratio_inverted",
            "adjusted_close_mismatch",
        ),
        Level.WARN,
    )
)
"""Over the history of a symbol (`check_series`), which also knows `future_date`."""
