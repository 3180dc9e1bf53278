"""Bad input gets one clear error that names the value."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from etf_backtest.errors import (
    EtfBacktestError,
    InvalidParametersError,
    MissingPricesError,
    UnknownSymbolError,
    WindowError,
)
from etf_backtest.market import PricePanel
from etf_backtest.simulation import Rules, simulate
from etf_backtest.strategies import BuyAndHold, Momentum

# 2024-03-01 is a Friday; LATE begins on 03-05, ENDED has no price after 03-05, GAP none on it
DAYS = pd.bdate_range("2024-03-01", periods=6)
NONE = np.nan
PANEL = PricePanel.from_frame(
    pd.DataFrame(
        {
            "A": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            "LATE": [NONE, NONE, 3.0, 4.0, 5.0, 6.0],
            "ENDED": [1.0, 2.0, 3.0, NONE, NONE, NONE],
            "GAP": [1.0, 2.0, NONE, 4.0, 5.0, 6.0],
        },
        index=DAYS,
    )
)
A = BuyAndHold({"A": 1.0})
COMMON = Rules(missing="common")


@pytest.mark.parametrize(
    ("strategy", "options", "error", "message"),
    [
        (BuyAndHold({"X": 1.0}), {}, UnknownSymbolError, "no prices of 'X' .the panel has A, LATE"),
        (A, {"benchmark": "SPY"}, UnknownSymbolError, "no prices of 'SPY'"),
        (A, {"benchmark": "LATE"}, MissingPricesError, "LATE lacks prices on 2 sessions"),
        (A, {"start": "2024-03-07", "end": "2024-03-04"}, WindowError, "starts on 2024-03-07, aft"),
        (
            A,
            {"start": "2024-03-02"},
            WindowError,
            "is not a session .the next session is 2024-03-04",
        ),
        (A, {"start": "2024-03-08"}, WindowError, "has 1 session"),
        (A, {"end": "2024-03-01"}, WindowError, "has 1 session"),
        (A, {"start": "2023-01-02"}, WindowError, "is not covered"),
        (A, {"end": "2025-01-02"}, WindowError, "is not covered"),
        (A, {"risk_free": 2.0}, InvalidParametersError, "risk_free: expected an annual rate"),
        (A, {"risk_free": NONE}, InvalidParametersError, "risk_free: .* received nan"),
        (
            BuyAndHold({"LATE": 0.5, "ENDED": 0.5}),
            {"rules": COMMON},
            WindowError,
            "LATE, ENDED share fewer than 2 sessions",
        ),
        (
            Momentum(["ENDED"], look_back=1, skip=0),
            {"rules": COMMON, "start": "2024-03-05"},
            WindowError,
            "has 1 session",
        ),
        (
            Momentum(["A", "GAP"], look_back=1, skip=0),
            {"start": "2024-03-06"},
            MissingPricesError,
            "GAP lacks prices on 1 session from 2024-03-05 to 2024-03-05",
        ),
    ],
)
def test_bad_input(
    strategy: Any, options: dict[str, Any], error: type[EtfBacktestError], message: str
) -> None:
    rules = options.pop("rules", Rules())
    with pytest.raises(error, match=message):
        simulate(PANEL, strategy, rules, **options)


def test_gaps_before_the_window_do_not_matter_to_what_does_not_look() -> None:
    result = simulate(PANEL, BuyAndHold({"LATE": 1.0}), start="2024-03-05")
    assert result.window.sessions == 4


def test_common_reports_the_window_it_made() -> None:
    result = simulate(PANEL, BuyAndHold({"A": 0.5, "LATE": 0.5}), COMMON)
    assert result.window.to_dict() == {"start": "2024-03-05", "end": "2024-03-08", "sessions": 4}
    assert result.warnings[0] == (
        "only sessions that all symbols share are used: 2024-03-05 to 2024-03-08 instead of "
        "2024-03-01 to 2024-03-08"
    )


def test_what_is_no_panel_and_no_strategy_is_said() -> None:
    anything: Any = pd.DataFrame({"A": [1.0, 2.0]})
    with pytest.raises(InvalidParametersError, match=r"expected a PricePanel, received DataFrame"):
        simulate(anything, A)
    anything = "momentum"
    with pytest.raises(InvalidParametersError, match=r"expected a Strategy, received str"):
        simulate(PANEL, anything)
