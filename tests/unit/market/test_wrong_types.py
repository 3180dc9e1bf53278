"""Whatever is given in place of dates, symbols, prices or rates, one clear error says so."""

import datetime as dt
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from etf_backtest.errors import (
    EtfBacktestError,
    InvalidParametersError,
    MissingPolicyError,
    PriceDataError,
    RateError,
    WindowError,
)
from etf_backtest.market import ForwardFill, PricePanel, PriceSeries, Quotes
from etf_backtest.market.rates import DatedRates, as_rate
from etf_backtest.market.sessions import as_session, as_sessions
from etf_backtest.simulation import Rules

DAYS = np.array(["2024-01-02", "2024-01-03"], dtype="datetime64[D]")
FRAME = pd.DataFrame(
    [[1.0, 2.0], [3.0, 4.0]], index=DAYS.astype("datetime64[ns]"), columns=["A", "B"]
)
PANEL = PricePanel.from_frame(FRAME)
TWO: Any = ("total_return", "total_return")
PRICES: Any = [[1.0, 2.0], [3.0, 4.0]]
LEVELS = pd.MultiIndex.from_tuples([("price", "A"), ("price", "B")])
ANY: Any = None
"""Wrong on purpose, whatever the type."""
COMPLEX: Any = np.complex128(1)


def panel(**others: Any) -> PricePanel:
    given = {"dates": DAYS, "symbols": ("A", "B"), "prices": PRICES, "basis": TWO, **others}
    return PricePanel(**given)


WRONG_PANELS: dict[str, tuple[Callable[[], object], str]] = {
    "no dates": (lambda: panel(dates=None), "expected dates in a row, received None"),
    "one date": (lambda: panel(dates=DAYS[0]), "expected dates in a row, received np.datetime64"),
    "2-D dates": (lambda: panel(dates=DAYS[:, None]), r"received the shape \(2, 1\)"),
    "ragged dates": (lambda: panel(dates=[[DAYS[0]], DAYS]), "expected dates in a row"),
    "text for prices": (lambda: panel(prices=[["x", "y"]] * 2), "could not convert string"),
    "ragged prices": (lambda: panel(prices=[[1], [1, 2]]), "expected numbers for the prices"),
    "complex prices": (lambda: panel(prices=np.ones((2, 2)) + 1j), "received the type complex128"),
    "no prices": (lambda: panel(prices=None), r"expected prices of the shape \(2, 2\)"),
    "no basis": (lambda: panel(basis=None), "expected several bases, received None"),
    "text for bases": (lambda: panel(basis="close"), "received the text 'close'"),
    "no symbols": (lambda: panel(symbols=None), "expected several symbols, received None"),
    "text for symbols": (
        lambda: panel(symbols="AB"),
        "expected several symbols, received the text",
    ),
    "text for quotes": (lambda: panel(quotes="x"), "expected Quotes, received 'x'"),
    "dict for quotes": (lambda: panel(quotes={}), "expected Quotes, received {}"),
    "quotes of text": (lambda: Quotes(*["a"] * 3), "expected numbers for the closes"),  # type: ignore[arg-type]
    "levels": (
        lambda: PricePanel.from_frame(FRAME.set_axis(LEVELS, axis="columns")),
        "the columns have 2 levels, expected symbols",
    ),
    "no basis of one": (lambda: PricePanel.from_frame(FRAME, basis={}), "the basis of A is not"),
    "no series": (lambda: PricePanel.from_series(ANY), "expected several series, received None"),
    "pandas series": (lambda: PricePanel.from_series([FRAME["A"]]), "expected a PriceSeries"),  # type: ignore[list-item]
    "nothing selected": (lambda: PANEL.select([]), "expected one or more symbols, received none"),
    "None selected": (lambda: PANEL.select(ANY), "expected several symbols, received None"),
    "no drag": (lambda: PANEL.with_expense_drag(ANY), "expected expense ratios by symbol"),
    "list of drags": (lambda: PANEL.with_expense_drag([0.1]), r"by symbol, received \[0.1\]"),  # type: ignore[arg-type]
    "text in a series": (
        lambda: PriceSeries.from_adjusted_closes("A", DAYS, ["x", "y"]),
        "expected numbers for the adjusted closes of A",
    ),
}


@pytest.mark.parametrize("wrong", WRONG_PANELS)
def test_what_no_panel_can_be_made_of(wrong: str) -> None:
    make, message = WRONG_PANELS[wrong]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PriceDataError, match=message) as refused:
            make()
    assert refused.value.remedy is not None


@pytest.mark.parametrize(
    "symbol",
    ["", " ", "A\nB", "A\x00B", "\ud800", "\u202eABC", "\u200b", "\x1b[31m", 1, None, ("A",)],
)
def test_what_is_no_symbol(symbol: object) -> None:
    with pytest.raises(PriceDataError, match="is not a symbol") as refused:
        panel(symbols=(symbol, "B"))
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("splits", [[1, 1e300, 1e300], [1, 1e-300, 1e-300]])
def test_absurd_splits_are_refused_without_a_warning(splits: list[float]) -> None:
    days = np.arange("2024-01-01", "2024-01-04", dtype="datetime64[D]")
    with pytest.raises(PriceDataError, match=r"A has the price (inf|0\.0) on 2024-01-03"):
        PriceSeries.from_closes(
            "A", days, [1, 1, 1], dividends=[0, 0, 0], splits=splits, split_adjusted=False
        )


@pytest.mark.parametrize(
    "date",
    [5, 20240102, True, 1.5, float("nan"), [], None, pd.NaT, np.datetime64("NaT"), "", "2\n4", b"x",
     dt.timedelta(days=5), dt.time(5)],
)  # fmt: skip
def test_what_is_no_date(date: Any) -> None:
    with pytest.raises(WindowError, match="is not a date") as refused:
        as_session(date)
    assert refused.value.remedy is not None
    if date is not None:
        with pytest.raises(WindowError, match="is not a date"):
            PANEL.window(date)


def test_dates_are_those_that_pandas_can_count() -> None:
    # the limits of 64 bits of nanoseconds are 1677-09-21 and 2262-04-11, says pandas.Timestamp
    assert pd.Timestamp.min.date() < dt.date(1678, 1, 1)
    assert pd.Timestamp.max.date() == dt.date(2262, 4, 11)
    ends = np.array(["1678-01-01", "2262-04-11"], dtype="datetime64[D]")
    assert as_sessions(ends).tolist() == [as_session(str(day)).item() for day in ends]
    frame = panel(dates=ends).to_frame()
    assert [str(day.date()) for day in frame.index] == ["1678-01-01", "2262-04-11"]


@pytest.mark.parametrize("year", ["-005", "0001", "1677", "2263", "9999", "20000"])
def test_dates_beyond_are_refused(year: str) -> None:
    day = np.datetime64(f"{year}-12-31")
    with pytest.raises(
        WindowError, match=f"{year}-12-31 is not a date that can be used"
    ) as refused:
        as_session(day)
    assert refused.value.remedy == "give one from 1678-01-01 to 2262-04-11"
    with pytest.raises(PriceDataError, match=f"{year}-12-31 is not a date that can be used"):
        as_sessions(np.array([day, day]))


@pytest.mark.parametrize("max_gap", [0, -1, 1.5, "3", None, True, float("nan"), np.float64(2)])
def test_what_is_no_gap(max_gap: Any) -> None:
    with pytest.raises(MissingPolicyError, match="max_gap must be 1 or more") as refused:
        ForwardFill(max_gap)
    assert isinstance(refused.value, ValueError)  # so that a model reports it with its field
    with pytest.raises(EtfBacktestError):
        Rules(missing={"max_gap": max_gap})


def test_a_gap_of_numpy_is_a_plain_one() -> None:
    assert ForwardFill(np.int64(3)) == ForwardFill(3)  # type: ignore[arg-type]
    assert type(ForwardFill(np.int64(3)).max_gap) is int  # type: ignore[arg-type]


DAY = dt.date(2024, 1, 2)
FIVE_O_CLOCK = dt.datetime.combine(DAY, dt.time(5))
WRONG_RATES: dict[str, tuple[Callable[[], object], str]] = {
    "number for a date": (lambda: DatedRates.of({5: 0.1}), "^5 is not a date"),
    "no date": (lambda: DatedRates.of({None: 0.1}), "^None is not a date"),
    "no time": (lambda: DatedRates.of({pd.NaT: 0.1}), "^NaT is not a date"),
    "clock time": (lambda: DatedRates.of({FIVE_O_CLOCK: 0.1}), "is a moment"),
    "series by numbers": (lambda: DatedRates.of(pd.Series([0.1], index=[5])), "5 is not a date"),
    "no series": (lambda: DatedRates.of(ANY), "expected annual rates by date, received None"),
    "complex": (lambda: DatedRates.of({DAY: COMPLEX}), "expected a number"),
    "text for a rate": (lambda: DatedRates((DAY,), ("x",)), "is 'x', expected a number"),  # type: ignore[arg-type]
    "no rate": (lambda: DatedRates((DAY,), (ANY,)), "is None, expected a number"),
    "truth for a rate": (lambda: DatedRates((DAY,), (True,)), "is True, expected a number"),
    "nothing": (lambda: DatedRates(ANY, ANY), "expected the dates in a row, received None"),
    "clock": (lambda: DatedRates((FIVE_O_CLOCK,), (0.1,)), "is a moment"),
    "far": (lambda: DatedRates.of({"2300-01-01": 0.1}), "2300-01-01 is not a date that can be"),
}


@pytest.mark.parametrize("wrong", WRONG_RATES)
def test_what_is_no_series_of_rates(wrong: str) -> None:
    make, message = WRONG_RATES[wrong]
    with pytest.raises(RateError, match=message) as refused:
        make()
    assert refused.value.remedy is not None


def test_rates_in_lists_and_dates_as_text_are_taken() -> None:
    dates: Any = ["2024-01-02", dt.datetime.combine(dt.date(2024, 1, 3), dt.time())]
    annual: Any = [np.float64(0.5), 0]
    rates = DatedRates(dates, annual)
    assert rates == DatedRates((DAY, dt.date(2024, 1, 3)), (0.5, 0.0))
    assert hash(rates) == hash(pickle.loads(pickle.dumps(rates)))
    assert rates.to_dict() == {"2024-01-02": 0.5, "2024-01-03": 0.0}


@pytest.mark.parametrize("rate", [np.float32(0.25), np.float64(0.25), np.float16(0.25)])
def test_a_rate_of_numpy_is_a_plain_one(rate: Any) -> None:
    assert Rules(cash_rate=rate).cash_rate == 0.25
    assert type(as_rate(rate)) is float
    assert as_rate(np.int64(0)) == 0.0


@pytest.mark.parametrize("rate", [True, np.True_, 1j, np.complex128(0), np.float32("nan"), [0.1]])
def test_what_is_no_rate(rate: Any) -> None:
    with pytest.raises(InvalidParametersError, match="cash_rate: expected a"):
        Rules(cash_rate=rate)
