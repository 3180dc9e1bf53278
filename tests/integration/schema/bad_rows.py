"""Rows that the constraints refuse."""

from __future__ import annotations

from dataclasses import dataclass

from tests.integration.schema.rows import TABLES

NAN = "'NaN'"
NO_OVERLAP = {"overlap_start": "NULL", "overlap_end": "NULL"}
NOTHING_PACKED = {"dates": "''", "closes": "''", "adjusted_closes": "''"}
EXISTING_BUT_UNKNOWN = "'00000000-0000-4000-8000-00000000dead'"


@dataclass(frozen=True)
class Bad:
    """A row that a constraint refuses: the valid one with columns changed."""

    constraint: str
    changes: dict[str, str]
    without_trigger: bool = False
    """Whether a trigger would mend the row before the constraint sees it."""

    @property
    def table(self) -> str:
        return next(
            table
            for table in sorted(TABLES, key=len, reverse=True)
            if self.constraint.startswith(table)
        )

    def __str__(self) -> str:
        values = ",".join(f"{column}={value}" for column, value in self.changes.items())
        return f"{self.constraint}[{values}]"


def bad(constraint: str, **changes: str) -> Bad:
    return Bad(constraint, changes)


def bad_without_trigger(constraint: str, **changes: str) -> Bad:
    return Bad(constraint, changes, without_trigger=True)


CHECKS = [
    *(
        bad("users_email_plausible", email=f"'{text}'")
        for text in (
            "",
            "ada",
            "@example.org",
            "ada@",
            "ada@localhost",
            "ada@@example.org",
            "a da@example.org",
            "ada@example..org",
            "ada@.org",
        )
    ),
    bad("users_password_hash_not_blank", password_hash="' '"),
    bad("portfolios_name_not_blank", name="''"),
    bad("portfolios_name_not_blank", name=r"E' \t\n'"),
    bad("portfolios_initial_capital_positive", initial_capital="0"),
    bad("portfolios_initial_capital_positive", initial_capital="-0.01"),
    bad("portfolios_initial_capital_positive", initial_capital=NAN),
    *(bad("portfolios_currency_iso", currency=text) for text in ("'usd'", "'US'", "'U$D'", "''")),
    *(
        bad("portfolio_holdings_symbol_form", symbol=text)
        for text in ("''", "'spy'", "'S PY'", "' SPY'", "'SPY '", r"E'SPY\n'", "'ÄÖ'", "'A''B'")
    ),
    bad("portfolio_holdings_allocation_range", allocation="-0.0001"),
    bad("portfolio_holdings_allocation_range", allocation="1.0001"),
    bad("portfolio_holdings_allocation_range", allocation=NAN),
    bad("strategies_name_not_blank", name="' '"),
    *(
        bad("strategies_parameters_object", parameters=text)
        for text in ("'[]'", "'null'", "'1'", """'"a"'""")
    ),
    *(
        bad("strategies_parameters_schema_object", parameters_schema=text)
        for text in ("'[]'", "'null'")
    ),
    bad("strategies_implementation_when_custom", type="'custom'"),
    bad("strategies_implementation_when_custom", implementation="'mine'"),
    bad("strategies_implementation_not_blank", type="'custom'", implementation="' '"),
    bad("strategies_system_without_owner", is_system="true"),
    bad("strategies_system_without_owner", user_id="NULL"),
    bad("user_tokens_email_not_blank", email="' '"),
    bad("user_tokens_expires_at_finite", expires_at="'infinity'"),
    bad("sign_in_throttles_subject_sha256", subject="'ada'"),
    bad("sign_in_throttles_failures_positive", failures="0"),
    bad("sign_in_throttles_blocked_until_finite", blocked_until="'infinity'"),
    bad("backtests_priority_range", priority="101"),
    bad("backtests_priority_range", priority="-101"),
    bad("backtests_attempts_not_negative", attempts="-1"),
    bad("backtests_lease_when_running", status="'running'", lease_expires_at="now()"),
    bad(
        "backtests_lease_when_running",
        status="'running'",
        attempt_id=EXISTING_BUT_UNKNOWN,
        lease_expires_at="'infinity'",
    ),
    bad_without_trigger(
        "backtests_lease_when_running", attempt_id=EXISTING_BUT_UNKNOWN, lease_expires_at="now()"
    ),
    bad("backtests_name_not_blank", name="' '"),
    bad("backtests_dates_finite", start_date="'-infinity'"),
    bad("backtests_dates_finite", end_date="'infinity'"),
    bad("backtests_dates_in_calendar", start_date="'0001-12-31 BC'"),
    bad("backtests_dates_in_calendar", end_date="'10000-01-01'"),
    bad("backtests_dates_in_order", end_date="'2014-01-02'"),
    bad("backtests_dates_in_order", end_date="'2014-01-01'"),
    bad("backtests_initial_capital_positive", initial_capital="0"),
    bad("backtests_initial_capital_positive", initial_capital=NAN),
    bad("backtests_benchmark_symbol_form", benchmark_symbol="'spy'"),
    bad("backtests_options_object", options="'[]'"),
    bad("backtests_results_object", status="'completed'", results="'[]'"),
    bad("backtests_results_object", status="'completed'", results="'null'"),
    bad("backtests_conventions_version_positive", conventions_version="0"),
    bad_without_trigger("backtests_started_when_running", status="'running'"),
    bad_without_trigger(
        "backtests_started_when_running", status="'completed'", results="'{}'", completed_at="now()"
    ),
    bad("backtests_not_started_when_pending", started_at="now()"),
    bad("backtests_completed_at_when_ended", completed_at="now()"),
    bad(
        "backtests_completed_at_when_ended",
        status="'running'",
        started_at="now()",
        completed_at="now()",
    ),
    bad_without_trigger(
        "backtests_completed_at_when_ended", status="'failed'", error_message="'x'"
    ),
    bad("backtests_results_when_completed", status="'completed'"),
    bad("backtests_results_when_completed", status="'running'", results="'{}'"),
    bad("backtests_error_message_when_failed", status="'failed'"),
    bad("backtests_error_message_when_failed", status="'running'", error_message="'x'"),
    bad("backtests_error_message_not_blank", status="'failed'", error_message="' '"),
    bad("backtests_times_in_order", status="'running'", started_at="now() - interval '1 second'"),
    bad(
        "backtests_times_in_order",
        status="'failed'",
        error_message="'x'",
        completed_at="now() - interval '1 second'",
    ),
    bad(
        "backtests_times_in_order",
        status="'failed'",
        error_message="'x'",
        started_at="now() + interval '2 seconds'",
        completed_at="now() + interval '1 second'",
    ),
    *(
        bad("performance_metrics_no_nan", **{column: NAN})
        for column in (
            "total_return",
            "annualized_return",
            "volatility",
            "sharpe_ratio",
            "sortino_ratio",
            "calmar_ratio",
            "value_at_risk_95",
            "conditional_value_at_risk_95",
            "alpha",
            "beta",
            "information_ratio",
            "tracking_error",
            "r_squared",
            "ulcer_index",
            "ulcer_performance_index",
            "up_capture",
            "down_capture",
            "omega_ratio",
            "tail_ratio",
            "skewness",
            "kurtosis",
            "money_weighted_return",
            "turnover",
        )
    ),
    bad("performance_metrics_ulcer_index_not_negative", ulcer_index="-0.000001"),
    bad("performance_metrics_r_squared_range", r_squared="-0.000001"),
    bad("performance_metrics_r_squared_range", r_squared="1.000001"),
    bad("performance_metrics_correlation_range", correlation=NAN),
    bad("performance_metrics_correlation_range", correlation="-1.000001"),
    bad("performance_metrics_correlation_range", correlation="1.000001"),
    bad("performance_metrics_omega_ratio_not_negative", omega_ratio="-0.000001"),
    bad("performance_metrics_tail_ratio_not_negative", tail_ratio="-0.000001"),
    bad("performance_metrics_turnover_not_negative", turnover="-0.000001"),
    bad("performance_metrics_volatility_not_negative", volatility="-0.000001"),
    bad("performance_metrics_max_drawdown_not_positive", max_drawdown="0.000001"),
    bad("performance_metrics_max_drawdown_not_positive", max_drawdown=NAN),
    bad("performance_metrics_tracking_error_not_negative", tracking_error="-0.000001"),
    bad("performance_metrics_win_rate_range", win_rate="-0.000001"),
    bad("performance_metrics_win_rate_range", win_rate="1.000001"),
    bad("performance_metrics_window_finite", window_end="'infinity'"),
    bad("performance_metrics_window_in_order", window_end="'2014-01-01'"),
    bad("performance_metrics_sessions_positive", sessions="0"),
    bad("market_data_symbol_form", symbol="'spy'"),
    bad("market_data_date_finite", date="'infinity'"),
    bad("market_data_close_or_adjusted_close_present", close="NULL"),
    *(
        bad(f"market_data_{column}_positive", **{column: value})
        for column in ("close", "adjusted_close", "split_ratio")
        for value in ("0", "-1", NAN)
    ),
    # beside a close they would break the order of low, close and high as well
    *(
        bad(f"market_data_{column}_positive", close="NULL", adjusted_close="1", **{column: value})
        for column in ("open", "high", "low")
        for value in ("0", "-1", NAN)
    ),
    bad("market_data_low_is_lowest", low="10", open="9"),
    bad("market_data_low_is_lowest", low="10", high="9", close="NULL", adjusted_close="1"),
    bad("market_data_low_is_lowest", low="400"),
    bad("market_data_high_is_highest", high="9", open="10", close="NULL", adjusted_close="1"),
    bad("market_data_high_is_highest", high="300"),
    bad("market_data_volume_not_negative", volume="-1"),
    bad("market_data_dividend_amount_not_negative", dividend_amount="-0.000001"),
    bad("market_data_dividend_amount_not_negative", dividend_amount=NAN),
    bad("market_data_source_not_blank", source="' '"),
    bad("etf_info_symbol_form", symbol="'spy'"),
    bad("etf_info_name_not_blank", name="' '"),
    bad("etf_info_expense_ratio_range", expense_ratio="-0.000001"),
    bad("etf_info_expense_ratio_range", expense_ratio="1.000001"),
    bad("etf_info_expense_ratio_range", expense_ratio=NAN),
    bad("etf_info_assets_under_management_not_negative", assets_under_management="-1"),
    bad("etf_info_assets_under_management_not_negative", assets_under_management=NAN),
    bad("etf_info_currency_iso", currency="'usd'"),
    bad("etf_info_dates_finite", inception_date="'-infinity'"),
    bad("etf_info_dates_finite", as_of_date="'infinity'"),
    bad("etf_info_delisted_date_when_delisted", status="'delisted'"),
    bad("etf_info_delisted_date_when_delisted", delisted_date="'2020-01-02'"),
    *(
        bad("etf_info_last_price_positive", last_price=value, last_price_date="'2020-01-02'")
        for value in ("0", NAN)
    ),
    bad("etf_info_last_price_dated", last_price="25"),
    bad("etf_info_last_price_dated", last_price_date="'2020-01-02'"),
    bad(
        "etf_info_life_in_order",
        status="'delisted'",
        inception_date="'2020-01-03'",
        delisted_date="'2020-01-02'",
    ),
    bad(
        "etf_info_life_in_order",
        status="'delisted'",
        delisted_date="'2020-01-02'",
        last_price="25",
        last_price_date="'2020-01-03'",
    ),
    bad("etf_info_end_dates_finite", status="'delisted'", delisted_date="'infinity'"),
    bad("etf_info_end_dates_finite", last_price="25", last_price_date="'-infinity'"),
    bad("etf_facts_valid_from_finite", valid_from="'-infinity'"),
    bad("etf_facts_says_something", expense_ratio="NULL"),
    bad("etf_facts_expense_ratio_range", expense_ratio="1.000001"),
    bad("etf_facts_expense_ratio_range", expense_ratio=NAN),
    bad("etf_facts_assets_under_management_not_negative", assets_under_management="-1"),
    bad("etf_facts_assets_under_management_not_negative", assets_under_management=NAN),
    bad("etf_proxies_symbol_form", symbol="'spy'"),
    bad("etf_proxies_proxy_symbol_form", proxy_symbol="''"),
    bad("etf_proxies_not_itself", proxy_symbol="'SPY'"),
    bad("etf_proxies_annual_fee_range", annual_fee="0.200001"),
    bad("etf_proxies_annual_fee_range", annual_fee=NAN),
    bad("etf_proxies_dates_finite", splice_date="'-infinity'"),
    bad("etf_proxies_dates_finite", overlap_end="'infinity'"),
    bad("etf_proxies_overlap_in_order", overlap_start="'1993-01-28'"),
    bad("etf_proxies_overlap_in_order", overlap_end="'1993-01-28'"),
    bad("etf_proxies_overlap_sessions_not_negative", overlap_sessions="-1", **NO_OVERLAP),
    bad("etf_proxies_overlap_when_sessions", overlap_sessions="0"),
    bad("etf_proxies_overlap_when_sessions", overlap_end="NULL"),
    bad("etf_proxies_tracking_error_not_negative", tracking_error="-0.000001"),
    bad("etf_proxies_tracking_error_not_negative", tracking_error=NAN),
    bad("etf_proxies_correlation_range", correlation="-1.000001"),
    bad("etf_proxies_correlation_range", correlation=NAN),
    bad("backtests_data_revision_not_negative", data_revision="-1"),
    bad("price_revisions_number_positive", number="0"),
    *(
        bad("price_revisions_counts_not_negative", **{column: "-1"})
        for column in ("inserted", "updated", "deleted")
    ),
    bad("price_revisions_details_object", details="'[]'"),
    bad("market_data_history_valid_in_order", valid_to="1"),
    bad("packed_prices_sessions_positive", sessions="0", **NOTHING_PACKED),
    bad("packed_prices_lengths", dates="''"),
    bad("packed_prices_lengths", closes="''"),
    bad("packed_prices_lengths", adjusted_closes="''"),
    bad("packed_prices_lengths", dividends="'\\x00'"),
    bad("packed_prices_lengths", splits="'\\x00'"),
    bad("packed_prices_split_adjusted_form", split_adjusted="'tf'"),
    bad("packed_prices_sources_array", sources="'{}'"),
]

# the second of two rows that differ only in what is not unique
DUPLICATES = [
    bad("users_pkey", email="'other@example.org'"),
    bad("users_email_key", id="gen_random_uuid()"),
    bad("users_email_lower_key", id="gen_random_uuid()", email="'aDA@EXAMPLE.org'"),
    bad("sign_in_throttles_subject_key"),
    bad("portfolios_pkey", name="'other'"),
    bad("portfolios_user_id_name_key", id="gen_random_uuid()"),
    bad("portfolio_holdings_portfolio_id_symbol_key", allocation="0.1"),
    bad("strategies_pkey", name="'other'"),
    bad("strategies_user_id_name_key", id="gen_random_uuid()"),
    bad("backtests_pkey"),
    bad("performance_metrics_backtest_id_key"),
    bad("market_data_symbol_date_key"),
    bad("etf_info_symbol_key"),
    bad("etf_facts_symbol_valid_from_key"),
    bad("etf_proxies_symbol_key"),
    bad("price_revisions_number_key"),
    bad("price_series_symbol_key"),
    bad("packed_prices_symbol_key"),
]
NAMELESS_KEYS = (
    "user_tokens",
    "sign_in_throttles",
    "portfolio_holdings",
    "performance_metrics",
    "market_data",
    "market_data_history",
    "price_revisions",
    "price_series",
    "packed_prices",
    "etf_info",
    "etf_facts",
    "etf_proxies",
)

DANGLING = [
    bad("user_tokens_user_id_fkey", user_id=EXISTING_BUT_UNKNOWN),
    bad("portfolios_user_id_fkey", user_id=EXISTING_BUT_UNKNOWN),
    bad("portfolio_holdings_portfolio_id_fkey", portfolio_id=EXISTING_BUT_UNKNOWN),
    bad("strategies_user_id_fkey", user_id=EXISTING_BUT_UNKNOWN),
    bad("backtests_user_id_fkey", user_id=EXISTING_BUT_UNKNOWN),
    bad("backtests_portfolio_id_fkey", portfolio_id=EXISTING_BUT_UNKNOWN),
    bad("backtests_strategy_id_fkey", strategy_id=EXISTING_BUT_UNKNOWN),
    bad("performance_metrics_backtest_id_fkey", backtest_id=EXISTING_BUT_UNKNOWN),
    bad("etf_facts_symbol_fkey", symbol="'QQQ'"),
]
