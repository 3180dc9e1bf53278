"""Prices, symbols and windows that no run can use."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from etf_backtest.errors import (
    MissingPricesError,
    PriceDataError,
    SimulationError,
    UnknownSymbolError,
    WindowError,
)
from etf_backtest.market import PriceBasis, PricePanel, Quotes
from etf_backtest.simulation import CashFlow, Rules, simulate
from etf_backtest.simulation.ledger import simulate_ledger
from etf_backtest.strategies import BuyAndHold, Momentum
from tests.unit.simulation.bad_input import (
    COMMON,
    DAYS,
    PANEL,
    Case,
    check,
    framed,
    from_arrays,
    named,
    run,
)


def _with_a_close_beyond_numbers() -> PricePanel:
    """What a share of the first session has become by the split is worth 1e310 on the third."""
    closes, splits = np.array([1.0, 1.0, 1e300, 1e300]), np.array([1.0, 1.0, 1e10, 1.0])
    quotes = Quotes(closes[:, np.newaxis], np.zeros((4, 1)), splits[:, np.newaxis])
    days = DAYS[:4].to_numpy().astype("datetime64[D]")
    return PricePanel(days, ("A",), np.ones((4, 1)), (PriceBasis.CLOSE,), quotes)


TABLE: list[Case] = [
    (
        "unknown symbol",
        lambda: run(BuyAndHold({"X": 1.0})),
        UnknownSymbolError,
        "there are no prices of 'X'",
        "the panel has A, LATE, ENDED, GAP",
    ),
    (
        "benchmark without data",
        lambda: run(benchmark="SPY"),
        UnknownSymbolError,
        "there are no prices of 'SPY'",
        "the panel has A, LATE, ENDED, GAP",
    ),
    (
        "benchmark that begins too late",
        lambda: run(benchmark="LATE"),
        MissingPricesError,
        "LATE lacks prices on 2 sessions from 2024-03-01 to 2024-03-04",
        "import them, choose another window, or a policy",
    ),
    (
        "missing prices at the end",
        lambda: run(BuyAndHold({"A": 0.5, "ENDED": 0.5})),
        MissingPricesError,
        "ENDED lacks prices on 3 sessions from 2024-03-06 to 2024-03-08",
        "common for the ends of a window, ffill:N",
    ),
    (
        "missing prices of several symbols",
        lambda: run(BuyAndHold({"LATE": 0.5, "ENDED": 0.5})),
        MissingPricesError,
        "LATE lacks prices on 2 sessions from 2024-03-01 to 2024-03-04; so does ENDED",
        "import them",
    ),
    (
        "missing prices in the history of what looks at them",
        lambda: run(Momentum(["A", "GAP"], look_back=1, skip=0), start="2024-03-06"),
        MissingPricesError,
        "GAP lacks prices on 1 session from 2024-03-05 to 2024-03-05",
        "import them",
    ),
    (
        "nothing in common",
        lambda: run(BuyAndHold({"LATE": 0.5, "ENDED": 0.5}), COMMON),
        WindowError,
        "LATE, ENDED share fewer than 2 sessions",
        "leave out the symbol",
    ),
    (
        "nothing in common with the window",
        lambda: run(Momentum(["ENDED"], look_back=1, skip=0), COMMON, start="2024-03-05"),
        WindowError,
        "the window 2024-03-05 to 2024-03-05 has 1 session",
        "choose a longer window",
    ),
    (
        "reversed window",
        lambda: run(start="2024-03-07", end="2024-03-04"),
        WindowError,
        "the window starts on 2024-03-07, after its end on 2024-03-04",
        "exchange the dates",
    ),
    (
        "a start that is no session",
        lambda: run(start="2024-03-02"),
        WindowError,
        "2024-03-02 is not a session",
        "the next session is 2024-03-04",
    ),
    (
        "a window without a session",
        lambda: run(start="2024-03-02", end="2024-03-03"),
        WindowError,
        "the window 2024-03-02 to 2024-03-03 has 0 sessions, expected at least 2",
        "choose a longer window",
    ),
    (
        "a window of its last day",
        lambda: run(start="2024-03-08"),
        WindowError,
        "the window 2024-03-08 to 2024-03-08 has 1 session, expected at least 2",
        "choose a longer window",
    ),
    (
        "a window of its first day",
        lambda: run(end="2024-03-01"),
        WindowError,
        "the window 2024-03-01 to 2024-03-01 has 1 session, expected at least 2",
        "choose a longer window",
    ),
    (
        "a panel of one day",
        lambda: run(panel=framed([1.0])),
        WindowError,
        "has 1 session, expected at least 2",
        "choose a longer window",
    ),
    (
        "a window before the prices",
        lambda: run(start="2023-01-02"),
        WindowError,
        "the window 2023-01-02 to 2024-03-08 is not covered: prices go from 2024-03-01 to",
        "choose a window inside, or import more prices",
    ),
    (
        "a window after the prices",
        lambda: run(end="2025-01-02"),
        WindowError,
        "the window 2024-03-01 to 2025-01-02 is not covered",
        "choose a window inside, or import more prices",
    ),
    (
        "what is no date",
        lambda: run(start="yesterday"),
        WindowError,
        "'yesterday' is not a date",
        "write it like 2024-01-31",
    ),
    (
        "a calendar without sessions",
        lambda: framed([]),
        PriceDataError,
        "a panel of 0 sessions and 1 symbols is empty",
        "give at least one session and one symbol",
    ),
    (
        "duplicate dates",
        lambda: framed([1.0, 2.0], pd.DatetimeIndex(["2024-03-01"] * 2)),
        PriceDataError,
        "2024-03-01",
        None,
    ),
    (
        "unsorted dates",
        lambda: from_arrays(["2024-03-04", "2024-03-01"], [1.0, 2.0]),
        PriceDataError,
        "2024-03-01",
        None,
    ),
    (
        "a price of 0",
        lambda: framed([1.0, 0.0]),
        PriceDataError,
        "A has the price 0.0 on 2024-03-04, expected a positive number",
        "mend it, or leave it empty (NaN)",
    ),
    (
        "a negative price",
        lambda: framed([1.0, 2.0, -3.0]),
        PriceDataError,
        "A has the price -3.0 on 2024-03-05, expected a positive number",
        "mend it",
    ),
    (
        "an infinite price",
        lambda: framed([np.inf, 2.0]),
        PriceDataError,
        "A has the price inf on 2024-03-01",
        "mend it",
    ),
    (
        "absurd prices",
        lambda: run(panel=framed([1e-300, 1.0, 1e300])),
        SimulationError,
        "the simulated value on 2024-03-05 is inf",
        "look for absurd jumps in the prices",
    ),
    (
        "absurd closes on the day of a withdrawal",
        lambda: run(
            panel=_with_a_close_beyond_numbers(),
            rules=Rules(dividends="cash", cash_flows=(CashFlow(amount=-1, on=DAYS[2].date()),)),
        ),
        SimulationError,
        "the simulated value on 2024-03-05 is nan",
        "look for absurd jumps in the prices",
    ),
]


@pytest.mark.parametrize("case", TABLE, ids=named)
def test_it_is_said_in_one_line(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("run", [simulate, simulate_ledger])
def test_a_look_back_longer_than_the_history(run: Callable[..., object]) -> None:
    with pytest.raises(WindowError) as caught:
        run(PANEL, Momentum(["A"], look_back=100, skip=5), Rules(rebalance="daily"))
    assert str(caught.value) == (
        "momentum looks back over 106 sessions, but from 2024-03-01 to the end of the window "
        "2024-03-08 there are 6: it could never decide (shorten its look-back, choose a later end, "
        "or give earlier prices)"
    )


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


def test_a_symbol_without_any_price() -> None:
    """As after a download that failed."""
    dates = np.array(["2024-01-02", "2024-01-03"], "datetime64[D]")
    panel = PricePanel(dates, ("A",), np.full((2, 1), np.nan), (PriceBasis.TOTAL_RETURN,))
    with pytest.raises(MissingPricesError, match="A lacks prices on 2 sessions from 2024-01-02 to"):
        simulate(panel, BuyAndHold({"A": 1.0}))
