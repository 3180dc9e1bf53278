"""Tables of drawdowns and of monthly and annual returns against ffn and pandas, on real returns."""

import ffn  # type: ignore[import-untyped]  # has no types
import numpy as np
import pandas as pd
import pytest

from etf_backtest import metrics
from tests.oracles.test_metrics_against_libraries import CASES


@pytest.fixture(params=CASES, scope="module")
def prices(request: pytest.FixtureRequest) -> "pd.Series[float]":
    values: pd.Series[float] = CASES[request.param].iloc[:, 0]
    return values


def test_drawdowns_are_ffns(prices: "pd.Series[float]") -> None:
    returns = prices.to_numpy()[1:] / prices.to_numpy()[:-1] - 1
    table = metrics.drawdown_table(returns, prices.index.to_numpy())
    theirs = ffn.core.drawdown_details(ffn.core.to_drawdown_series(prices))
    assert len(table) == len(theirs)
    by_start = sorted(table, key=lambda row: row.start)
    sessions = pd.DatetimeIndex(prices.index)
    for row, (_, other) in zip(by_start, theirs.iterrows(), strict=True):
        assert row.depth == pytest.approx(other["drawdown"], rel=1e-10)
        # ffn's start is the first session below the peak, ours the last one at the peak
        at_peak = sessions[int(sessions.searchsorted(other["Start"])) - 1]
        assert row.start == at_peak.date()
        # its end is the recovery or the last session, and its length is counted from its start
        end = row.recovery if row.recovery is not None else sessions[-1].date()
        assert end == other["End"].date()
        assert row.days == other["Length"] + (other["Start"] - at_peak).days
        assert (row.recovery is None) == (prices.iloc[-1] < prices.max() and row is by_start[-1])
    depths = [row.depth for row in table]
    assert depths == sorted(depths)


def test_months_and_years_are_pandas(prices: "pd.Series[float]") -> None:
    returns = prices.to_numpy()[1:] / prices.to_numpy()[:-1] - 1
    table = metrics.return_table(returns, prices.index.to_numpy())
    first = pd.Series(prices.iloc[0], index=[pd.Timestamp("1900-01-01")])
    for frequency, found in (("ME", table.months), ("YE", table.totals)):
        # the value before the window's first period is the initial one
        ends = pd.concat([first, prices.resample(frequency).last()])
        growth = ends.pct_change().iloc[1:]
        known = found[~np.isnan(found)]
        np.testing.assert_allclose(known, growth, rtol=1e-10, atol=1e-13)
    labels = [
        f"{year}-{month + 1:02}"
        for row, year in enumerate(table.years)
        for month in range(12)
        if not np.isnan(table.months[row, month])
    ]
    assert labels == sorted({day.strftime("%Y-%m") for day in prices.index[1:]})
    np.testing.assert_allclose(
        np.nanprod(1 + table.months, axis=1) - 1, table.totals, rtol=1e-12, atol=1e-13
    )
