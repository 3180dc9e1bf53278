import datetime as dt

import numpy as np
import pandas as pd
import pytest

from etf_backtest.errors import PriceDataError, UnknownSymbolError, WindowError
from etf_backtest.market import PriceBasis, PricePanel, PriceSeries

# Tuesday to Friday, then Monday
DAYS = ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08"]


def frame(days: list[str] = DAYS) -> pd.DataFrame:
    values = {"A": np.arange(1.0, len(days) + 1), "B": np.arange(11.0, len(days) + 11)}
    return pd.DataFrame(values, index=pd.DatetimeIndex(days))


def test_from_frame() -> None:
    panel = PricePanel.from_frame(frame())
    assert panel.symbols == ("A", "B")
    assert panel.basis == (PriceBasis.TOTAL_RETURN, PriceBasis.TOTAL_RETURN)
    assert panel.dates.dtype == "datetime64[D]"
    assert panel.prices.shape == (5, 2)
    assert panel.prices.dtype == np.float64
    assert repr(panel) == "PricePanel(2024-01-02 to 2024-01-08, 5 sessions, A, B)"
    pd.testing.assert_frame_equal(
        panel.to_frame(), frame(), check_index_type=False, check_freq=False, check_names=False
    )


def test_from_frame_takes_dates_of_python_and_integers() -> None:
    whole = frame().astype(int)
    whole.index = pd.Index([dt.date.fromisoformat(day) for day in DAYS])
    panel = PricePanel.from_frame(
        whole, basis={"A": PriceBasis.TOTAL_RETURN, "B": PriceBasis.ADJUSTED_CLOSE}
    )
    assert panel.prices[0].tolist() == [1.0, 11.0]
    assert panel.basis == (PriceBasis.TOTAL_RETURN, PriceBasis.ADJUSTED_CLOSE)


def test_a_panel_cannot_be_written_to() -> None:
    given = frame()
    panel = PricePanel.from_frame(given)
    given.iloc[0, 0] = 99.0
    assert panel.prices[0, 0] == 1.0
    for part in (panel, panel.window("2024-01-03"), panel.select(["B"])):
        with pytest.raises(ValueError, match="read-only"):
            part.prices[0, 0] = 1.0
        with pytest.raises(ValueError, match="read-only"):
            part.dates[0] = np.datetime64("2020-01-01")


@pytest.mark.parametrize(
    ("value", "said"), [(0.0, "0.0"), (-1.5, "-1.5"), (np.inf, "inf"), (-np.inf, "-inf")]
)
def test_bad_prices_are_named(value: float, said: str) -> None:
    bad = frame()
    bad.loc["2024-01-04", "B"] = value
    with pytest.raises(PriceDataError, match=f"B has the price {said} on 2024-01-04") as caught:
        PricePanel.from_frame(bad)
    assert (caught.value.symbol, caught.value.date) == ("B", dt.date(2024, 1, 4))
    assert caught.value.value == value


def test_duplicate_dates() -> None:
    with pytest.raises(PriceDataError, match="the date 2024-01-03 stands twice"):
        PricePanel.from_frame(frame(["2024-01-02", "2024-01-03", "2024-01-03"]))


def test_unsorted_dates() -> None:
    with pytest.raises(PriceDataError, match="not sorted: 2024-01-02 follows 2024-01-03"):
        PricePanel.from_frame(frame(["2024-01-03", "2024-01-02"]))


def test_empty_panels() -> None:
    with pytest.raises(PriceDataError, match="0 sessions and 2 symbols is empty"):
        PricePanel.from_frame(frame().iloc[:0])
    with pytest.raises(PriceDataError, match="5 sessions and 0 symbols is empty"):
        PricePanel.from_frame(frame()[[]])
    with pytest.raises(PriceDataError, match="0 symbols is empty"):
        PricePanel.from_series([])


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (pd.RangeIndex(5), "expected dates"),
        (pd.DatetimeIndex(DAYS, tz="America/New_York"), "have a time zone"),
        (pd.DatetimeIndex(DAYS) + pd.Timedelta(hours=16), "2024-01-02T16:00:00.* has a clock time"),
        (pd.DatetimeIndex([*DAYS[:-1], None]), "missing date"),
    ],
)
def test_an_index_that_is_no_sessions(index: "pd.Index[str]", message: str) -> None:
    bad = frame()
    bad.index = index
    with pytest.raises(PriceDataError, match=message):
        PricePanel.from_frame(bad)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (7, "7 is not a symbol"),
        (None, "None is not a symbol|nan is not a symbol"),
        ("", "'' is not a symbol"),
        ("  ", "'  ' is not a symbol"),
        (" B", r"the symbol ' B' has blanks around it \(name it 'B'\)"),
        ("B\n", "has blanks around it"),
        (("A", "close"), r"\('A', 'close'\) is not a symbol"),
    ],
)
def test_names_that_are_no_symbols(name: object, message: str) -> None:
    bad = frame()
    bad.columns = pd.Index(["A", name], dtype=object, tupleize_cols=False)
    with pytest.raises(PriceDataError, match=message):
        PricePanel.from_frame(bad)


def test_symbols_must_be_different_names() -> None:
    with pytest.raises(PriceDataError, match="the symbol A stands twice"):
        PricePanel.from_frame(frame().set_axis(["A", "A"], axis=1))
    with pytest.raises(PriceDataError, match="the symbol B stands twice"):
        PricePanel.from_frame(frame()).select(["A", "B", "B"])


def test_what_prices_are_made_of_has_a_name() -> None:
    panel = PricePanel.from_frame(frame(), basis="adjusted_close")  # type: ignore[arg-type]
    assert panel.basis == (PriceBasis.ADJUSTED_CLOSE,) * 2
    with pytest.raises(PriceDataError, match=r"'raw' is not what .* \(one of total_return, close,"):
        PricePanel.from_frame(frame(), basis="raw")  # type: ignore[arg-type]
    with pytest.raises(PriceDataError, match="the basis of B is not given"):
        PricePanel.from_frame(frame(), basis={"A": PriceBasis.TOTAL_RETURN})


def test_shapes_must_fit() -> None:
    dates = np.array(DAYS, dtype="datetime64[D]")
    with pytest.raises(PriceDataError, match=r"expected prices of the shape \(5, 1\)"):
        PricePanel(dates, ("A",), np.ones((4, 1)), (PriceBasis.TOTAL_RETURN,))


def test_from_bars_by_hand() -> None:
    # A: split 2:1 and a dividend, as in test_price_series; B has no first close
    index = pd.DatetimeIndex(DAYS[:3])
    panel = PricePanel.from_bars(
        pd.DataFrame({"A": [100.0, 51.0, 50.0], "B": [np.nan, 10.0, 10.0]}, index=index),
        dividends=pd.DataFrame({"A": [0.0, 0.5, 0.0], "B": [np.nan, 0.0, 1.0]}, index=index),
        splits=pd.DataFrame({"A": [1.0, 2.0, 1.0], "B": [np.nan, 1.0, 1.0]}, index=index),
        split_adjusted={"A": False, "B": True},
    )
    np.testing.assert_allclose(panel.prices[:, 0], [100.0, 103.0, 103.0 * 50 / 51], rtol=1e-15)
    np.testing.assert_allclose(panel.prices[:, 1], [np.nan, 10.0, 11.0], rtol=1e-15)
    assert panel.basis == (PriceBasis.CLOSE, PriceBasis.SPLIT_ADJUSTED_CLOSE)


def test_from_bars_carries_an_event_over_a_gap() -> None:
    # no close on the second day: the third day's factor is (12 + 1) / 10
    index = pd.DatetimeIndex(DAYS[:3])
    panel = PricePanel.from_bars(
        pd.DataFrame({"A": [10.0, np.nan, 12.0]}, index=index),
        dividends=pd.DataFrame({"A": [0.0, 0.0, 1.0]}, index=index),
        splits=pd.DataFrame({"A": [1.0, 1.0, 1.0]}, index=index),
        split_adjusted=False,
    )
    # a day on which no symbol has a price is no session
    assert panel.dates.size == 2
    np.testing.assert_allclose(panel.prices[:, 0], [10.0, 13.0], rtol=1e-15)


def test_from_bars_loses_no_dividend() -> None:
    index = pd.DatetimeIndex(DAYS[:2])
    closes = pd.DataFrame({"A": [10.0, np.nan]}, index=index)
    ones = pd.DataFrame({"A": [1.0, 1.0]}, index=index)
    with pytest.raises(PriceDataError, match="A has a dividend or a split on 2024-01-03, but no"):
        PricePanel.from_bars(closes, dividends=ones, splits=ones, split_adjusted=False)
    with pytest.raises(PriceDataError, match="other dates or symbols than the closes"):
        PricePanel.from_bars(closes, dividends=ones.iloc[:1], splits=ones, split_adjusted=False)


def test_from_series_aligns_on_all_sessions() -> None:
    dates = np.array(DAYS, dtype="datetime64[D]")
    panel = PricePanel.from_series(
        [
            PriceSeries.from_adjusted_closes("A", dates[:2], [1.0, 2.0]),
            PriceSeries("B", dates[1:3], np.array([3.0, 4.0]), PriceBasis.TOTAL_RETURN),
        ]
    )
    np.testing.assert_array_equal(panel.prices, [[1.0, np.nan], [2.0, 3.0], [np.nan, 4.0]])
    assert panel.basis == (PriceBasis.ADJUSTED_CLOSE, PriceBasis.TOTAL_RETURN)


def test_select() -> None:
    panel = PricePanel.from_frame(frame())
    assert panel.select(["B", "A"]).prices[0].tolist() == [11.0, 1.0]
    with pytest.raises(UnknownSymbolError, match=r"no prices of 'C' \(the panel has A, B\)"):
        panel.select(["A", "C"])
    with pytest.raises(PriceDataError, match=r"received the text 'A' \(give a list: \['A'\]\)"):
        panel.select("A")


def test_window() -> None:
    panel = PricePanel.from_frame(frame())
    assert panel.window("2024-01-03", "2024-01-05").prices[:, 0].tolist() == [2.0, 3.0, 4.0]
    assert panel.window().dates.size == 5
    # the end may be any day: a Sunday means the Friday before
    assert panel.window(dt.date(2024, 1, 4), "2024-01-07").prices[:, 0].tolist() == [3.0, 4.0]
    assert panel.window(pd.Timestamp("2024-01-04")).prices[:, 0].tolist() == [3.0, 4.0, 5.0]
    assert panel.window(np.datetime64("2024-01-05")).dates.size == 2


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("2024-01-06", None, r"2024-01-06 is not a session \(the next session is 2024-01-08\)"),
        ("2024-01-05", "2024-01-03", "starts on 2024-01-05, after its end on 2024-01-03"),
        ("2024-01-01", None, "2024-01-01 to 2024-01-08 is not covered: prices go from 2024-01-02"),
        (None, "2024-01-09", "2024-01-02 to 2024-01-09 is not covered"),
        ("2025-01-01", None, "starts on 2025-01-01, after its end on 2024-01-08"),
        ("2024-01-03", "2024-01-03", "has 1 session, expected at least 2"),
        ("2024-01-05", "2024-01-07", "has 1 session, expected at least 2"),
        ("2024-01-06", "2024-01-07", "has 0 sessions, expected at least 2"),
        ("03.01.2024", None, r"'03.01.2024' is not a date \(write it like 2024-01-31\)"),
        (dt.datetime(2024, 1, 3, 16), None, "expected a session"),  # noqa: DTZ001  # on purpose
        (np.datetime64("NaT"), None, "NaT is not a date"),
    ],
)
def test_windows_that_cannot_be(
    start: "dt.date | str | np.datetime64 | None", end: str | None, message: str
) -> None:
    with pytest.raises(WindowError, match=message):
        PricePanel.from_frame(frame()).window(start, end)


def test_session_from() -> None:
    panel = PricePanel.from_frame(frame())
    assert panel.session_from("2024-01-06") == np.datetime64("2024-01-08")
    assert panel.session_from("2024-01-03") == np.datetime64("2024-01-03")
    with pytest.raises(WindowError, match="no session on or after 2024-01-09"):
        panel.session_from("2024-01-09")
