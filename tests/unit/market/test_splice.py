"""The prices of a proxy before a young fund's own."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
from typing import Any

import empyrical  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etf_backtest.errors import PriceDataError, SpliceError, UnknownSymbolError
from etf_backtest.market import PriceBasis, PricePanel, PriceSeries
from etf_backtest.market.overlap import overlap
from etf_backtest.market.splice import Splice, spliced
from etf_backtest.metrics import summary
from etf_backtest.typing import DateArray

TOTAL = PriceBasis.TOTAL_RETURN


def day(text: str) -> np.datetime64:
    return np.datetime64(text, "D")


def days(*texts: str) -> DateArray:
    return np.array(texts, dtype="datetime64[D]")


# a Wednesday, then Thursday, Friday, Monday: 1, 1 and 3 days
WEEK = days("2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08")


def old() -> PriceSeries:
    return PriceSeries("OLD", WEEK, np.array([10.0, 11.0, 22.0, 33.0]), TOTAL)


def new() -> PriceSeries:
    """Its own closes from Friday on, with a dividend of 10 on Monday."""
    return PriceSeries.from_closes(
        "NEW", WEEK[2:], [100.0, 110.0], dividends=[0, 10.0], splits=[1, 1], split_adjusted=False
    )


# -- by hand ---------------------------------------------------------------------------------------


def test_the_level_by_hand() -> None:
    # NEW is 100 on Friday, where OLD is 22: 10 and 11 become 100 * 10 / 22 and 50
    whole = spliced(new(), old())
    np.testing.assert_allclose(whole.prices, [1000 / 22, 50.0, 100.0, 120.0], rtol=1e-15)
    assert whole.dates.tolist() == WEEK.tolist()
    assert whole.splice == Splice("NEW", "OLD", dt.date(2024, 1, 5))
    assert whole.basis is PriceBasis.CLOSE
    assert not whole.prices.flags.writeable


def test_the_fee_by_hand() -> None:
    # 7.3 % a year are 0.0002 a day: steps of 0.9998, 0.9998; none is taken from Friday on
    whole = spliced(new(), old(), annual_fee=0.073)
    expected = [1000 / 22 / 0.9998**2, 50.0 / 0.9998, 100.0, 120.0]
    np.testing.assert_allclose(whole.prices, expected, rtol=1e-15)


def test_a_fee_over_365_days() -> None:
    # one step of a year takes the whole of 1 %; OLD doubles, and NEW would have made 98 %
    dates = days("2022-01-03", "2023-01-03")
    proxy = PriceSeries("OLD", dates, np.array([1.0, 2.0]), TOTAL)
    own = PriceSeries("NEW", dates[1:], np.array([50.0]), TOTAL)
    assert spliced(own, proxy, annual_fee=0.01).prices[0] == pytest.approx(50 / 1.98, rel=1e-15)


def test_daily_steps_of_a_year() -> None:
    # 365 days of 1 - 0.01 / 365, by the same formula as PricePanel.with_expense_drag
    dates = np.arange("2022-01-01", "2023-01-02", dtype="datetime64[D]")
    proxy = PriceSeries("OLD", dates, np.ones(366), TOTAL)
    own = PriceSeries("NEW", dates[-1:], np.ones(1), TOTAL)
    whole = spliced(own, proxy, annual_fee=0.01)
    assert 1 / whole.prices[0] == pytest.approx((1 - 0.01 / 365) ** 365, rel=1e-14)
    dragged = PricePanel.from_series([proxy]).with_expense_drag({"OLD": 0.01}, anchor=dates[-1])
    np.testing.assert_array_equal(whole.prices, dragged.prices[:, 0])


def test_a_later_date_leaves_own_prices_out() -> None:
    whole = spliced(new(), old(), date="2024-01-08")
    assert whole.splice is not None
    assert whole.splice.date == dt.date(2024, 1, 8)
    # NEW is 120 in total on Monday, where OLD is 33
    np.testing.assert_allclose(whole.prices, [1200 / 33, 40.0, 80.0, 120.0], rtol=1e-15)


def test_closes_are_known_from_the_splice_date_on() -> None:
    whole = spliced(new(), old())
    for values, expected in (
        (whole.closes, [np.nan, np.nan, 100.0, 110.0]),
        (whole.dividends, [np.nan, np.nan, 0.0, 10.0]),
        (whole.splits, [np.nan, np.nan, 1.0, 1.0]),
    ):
        assert values is not None
        np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("adjusted", ["own", "proxy"])
def test_adjusted_closes_of_either_are_said(adjusted: str) -> None:
    made = PriceSeries.from_adjusted_closes
    own = made("NEW", WEEK[2:], [1.0, 2.0]) if adjusted == "own" else new()
    proxy = made("OLD", WEEK, [1.0, 2.0, 3.0, 4.0]) if adjusted == "proxy" else old()
    assert spliced(own, proxy).basis is PriceBasis.ADJUSTED_CLOSE


def test_a_proxy_of_a_proxy() -> None:
    # OLDEST doubles until OLD's first price, 10; NEW is half of OLD's 22 * 100 / 22 and so on
    oldest = PriceSeries("OLDEST", days("2024-01-02", "2024-01-03"), np.array([1.0, 2.0]), TOTAL)
    whole = spliced(new(), spliced(old(), oldest, annual_fee=0.073), annual_fee=0.073)
    levels = [500 / 22 / 0.9998**4, 1000 / 22 / 0.9998**2, 50.0 / 0.9998, 100.0, 120.0]
    np.testing.assert_allclose(whole.prices, levels, rtol=1e-15)
    assert whole.splice is not None
    assert whole.splice.proxies == ("OLD", "OLDEST")
    assert [str(link.date) for link in whole.splice.links()] == ["2024-01-05", "2024-01-03"]


# -- what cannot be --------------------------------------------------------------------------------


@pytest.mark.parametrize("fee", [-0.0001, 0.21, np.nan, np.inf, "0.01", None, True])
def test_fees_out_of_range(fee: Any) -> None:
    with pytest.raises(SpliceError, match=r"NEW .* OLD .*: expected a fee from 0 to 0.2 a year"):
        spliced(new(), old(), annual_fee=fee)


def test_both_need_a_price_on_the_date() -> None:
    holed = PriceSeries("OLD", WEEK[[0, 1, 3]], np.array([10.0, 11.0, 33.0]), TOTAL)
    with pytest.raises(
        SpliceError, match="OLD has no price on 2024-01-05: the next one is on 2024"
    ):
        spliced(new(), holed)
    assert spliced(new(), holed, date="2024-01-08").prices.size == 3
    with pytest.raises(
        SpliceError, match="NEW has no price on 2024-01-04: the next one is on 2024"
    ):
        spliced(new(), old(), date="2024-01-04")
    with pytest.raises(SpliceError, match="NEW has no price on 2024-01-09"):
        spliced(new(), old(), date="2024-01-09")


def test_a_proxy_must_be_older() -> None:
    young = PriceSeries("OLD", WEEK[2:], np.array([22.0, 33.0]), TOTAL)
    with pytest.raises(
        SpliceError, match="OLD begin on 2024-01-05: there is nothing to put before"
    ):
        spliced(new(), young)


def test_nobody_is_his_own_proxy() -> None:
    with pytest.raises(SpliceError, match="NEW would be its own proxy"):
        spliced(new(), new())
    first = Splice("B", "A", dt.date(2020, 1, 2))
    second = Splice("C", "B", dt.date(2021, 1, 4), earlier=first)
    with pytest.raises(
        SpliceError, match=r"A would be its own proxy \(A before C before B before A"
    ):
        Splice("A", "C", dt.date(2022, 1, 3), earlier=second)
    with pytest.raises(SpliceError, match="B would be its own proxy"):
        Splice("B", "C", dt.date(2022, 1, 3), earlier=second)
    with pytest.raises(SpliceError, match="expected the proxy's own splice, received that of C"):
        Splice("D", "B", dt.date(2022, 1, 3), earlier=second)


def test_the_proxys_own_prices_must_have_begun() -> None:
    late = Splice("OLD", "OLDEST", dt.date(2024, 1, 8))
    with pytest.raises(
        SpliceError, match=r"on 2024-01-05 OLD has no price of its own: it is OLDEST"
    ):
        Splice("NEW", "OLD", dt.date(2024, 1, 5), earlier=late)


def test_one_proxy_at_a_time() -> None:
    other = PriceSeries("OTHER", WEEK, np.ones(4), TOTAL)
    with pytest.raises(SpliceError, match="before 2024-01-05 its prices are those of OLD already"):
        spliced(spliced(new(), old()), other)


def test_a_gap_that_the_fee_uses_up() -> None:
    proxy = PriceSeries("OLD", days("2000-01-03", "2024-01-05"), np.ones(2), TOTAL)
    with pytest.raises(PriceDataError, match=r"OLD: .* days without a session up to 2024-01-05"):
        spliced(new(), proxy, annual_fee=0.2)


# -- in a panel ------------------------------------------------------------------------------------


def panel() -> PricePanel:
    other = PriceSeries("OTHER", WEEK, np.array([1.0, 2.0, 3.0, 4.0]), TOTAL)
    return PricePanel.from_series([new(), old(), other])


def test_a_panel_keeps_what_was_spliced() -> None:
    whole = panel().spliced("NEW", before="OLD", annual_fee=0.073)
    (splice,) = whole.splices
    assert splice == Splice("NEW", "OLD", dt.date(2024, 1, 5), 0.073)
    np.testing.assert_array_equal(
        whole.prices[:, 0], spliced(new(), old(), annual_fee=0.073).prices
    )
    for kept in (
        whole.select(["OTHER", "NEW"]),
        whole.rows(0, 2),
        whole.window("2024-01-04"),
        whole.with_expense_drag({"NEW": 0.01}),
        whole.detached(),
        whole.priced_sessions(),
        whole.with_prices(whole.prices),
        whole.rows(0, 2).followed_by(whole.rows(2, None)),
        whole.with_whole_quotes(),
        copy.deepcopy(whole),
        pickle.loads(pickle.dumps(whole)),
        PricePanel.from_series([whole.series(symbol) for symbol in whole.symbols]),
    ):
        assert kept.splices == (splice,)
    assert whole.select(["OTHER", "OLD"]).splices == ()
    assert panel().splices == ()


def test_other_symbols_and_the_own_part_keep_their_fingerprints() -> None:
    bare, whole = panel(), panel().spliced("NEW", before="OLD")
    before, after = bare.fingerprints(), whole.fingerprints()
    assert before["NEW"] != after["NEW"]
    assert {name: after[name] for name in ("OLD", "OTHER")} == {
        name: before[name] for name in ("OLD", "OTHER")
    }
    assert whole.window("2024-01-05").fingerprints() == bare.window("2024-01-05").fingerprints()
    fee = panel().spliced("NEW", before="OLD", annual_fee=0.001).fingerprints()
    assert fee["NEW"] not in (before["NEW"], after["NEW"])


def test_a_close_after_the_splice_counts_in_the_fingerprint() -> None:
    def of(close: float) -> str:
        own = PriceSeries("NEW", WEEK[2:], np.array([1.0, 2.0]), PriceBasis.CLOSE,
            np.array([100.0, close]), np.zeros(2), np.ones(2))  # fmt: skip
        return PricePanel.from_series([spliced(own, old())]).fingerprints()["NEW"]

    assert of(110.0) != of(111.0)


def test_quotes_are_there_where_the_window_is_the_symbols_own() -> None:
    whole = panel().spliced("NEW", before="OLD").select(["NEW"])
    assert whole.quotes is not None
    assert not whole.quotes.known[0]
    np.testing.assert_array_equal(whole.quotes.closes[:, 0], [np.nan, np.nan, 100.0, 110.0])
    assert whole.with_whole_quotes().quotes is None
    own = whole.window("2024-01-05").with_whole_quotes().quotes
    assert own is not None
    assert own.known[0]
    assert own.dividends[:, 0].tolist() == [0.0, 10.0]
    again = PricePanel(
        whole.dates, whole.symbols, whole.prices, whole.basis, whole.quotes, whole.splices
    )
    assert again.fingerprints() == whole.fingerprints()
    with pytest.raises(PriceDataError, match=r"NEW has the close 100\.0 on 2024-01-05"):
        PricePanel(whole.dates, whole.symbols, whole.prices, whole.basis, whole.quotes)


def test_what_no_panel_can_have() -> None:
    bare = panel()
    with pytest.raises(UnknownSymbolError, match="no prices of 'X'"):
        bare.spliced("X", before="OLD")
    splice = Splice("X", "OLD", dt.date(2024, 1, 5))
    for wrong in ((splice,), ("NEW",)):
        with pytest.raises(PriceDataError, match="expected splices of the symbols of the panel"):
            PricePanel(
                bare.dates,
                bare.symbols,
                bare.prices,
                bare.basis,
                splices=wrong,  # type: ignore[arg-type]
            )


# -- any prices ------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sessions=st.integers(3, 60),
    first=st.integers(1, 58),
    fee=st.floats(0, 0.2),
)
def test_returns_are_the_proxys_before_and_the_symbols_own_after(
    seed: int, sessions: int, first: int, fee: float
) -> None:
    first = min(first, sessions - 1)
    random = np.random.default_rng(seed)
    dates = day("2001-01-01") + random.integers(1, 6, sessions).cumsum()
    levels = 100 * np.exp(random.normal(0, 0.03, (sessions, 2)).cumsum(axis=0))
    own = PriceSeries("NEW", dates[first:], levels[first:, 0], TOTAL)
    proxy = PriceSeries("OLD", dates, levels[:, 1], TOTAL)
    whole = spliced(own, proxy, annual_fee=fee)
    np.testing.assert_array_equal(whole.prices[first:], own.prices)
    drag = 1 - fee * np.diff(dates).astype(float) / 365
    factors = whole.prices[1:] / whole.prices[:-1]
    proxys = proxy.prices[1:] / proxy.prices[:-1] * drag
    np.testing.assert_allclose(factors[:first], proxys[:first], rtol=1e-12)
    assert whole.dates.tolist() == dates.tolist()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), fee=st.floats(0, 0.2))
def test_later_prices_change_no_earlier_return(seed: int, fee: float) -> None:
    random = np.random.default_rng(seed)
    dates = np.arange("2020-01-01", "2020-02-10", dtype="datetime64[D]")
    levels = np.exp(random.normal(0, 0.03, (dates.size, 3)).cumsum(axis=0))
    proxy = PriceSeries("OLD", dates, levels[:, 0], TOTAL)
    wholes = [
        spliced(PriceSeries("NEW", dates[20:], levels[20:, column], TOTAL), proxy, annual_fee=fee)
        for column in (1, 2)
    ]
    one, other = ((whole.prices[1:] / whole.prices[:-1])[:20] for whole in wholes)
    np.testing.assert_allclose(one, other, rtol=1e-13)


# -- the overlap -----------------------------------------------------------------------------------


def pair(sessions: int, *, seed: int = 5) -> tuple[PriceSeries, PriceSeries]:
    """A proxy over business days, and a fund that begins on its 10th and lacks the 15th."""
    random = np.random.default_rng(seed)
    dates = np.busday_offset("2020-01-01", np.arange(sessions + 11), roll="forward")
    returns = random.normal(0, 0.01, dates.size)
    proxy = PriceSeries("OLD", dates, np.cumprod(1 + returns, dtype=np.float64), TOTAL)
    noisy = np.cumprod(1 + returns + random.normal(0, 0.001, dates.size), dtype=np.float64)
    rows = np.delete(np.arange(10, dates.size), 5)
    return PriceSeries("NEW", dates[rows], noisy[rows], TOTAL), proxy


def test_the_overlap_against_pandas_and_empyrical() -> None:
    own, proxy = pair(500)
    splice = spliced(own, proxy, annual_fee=0.01).splice
    assert splice is not None
    found = overlap(own, proxy, splice)
    dragged = PricePanel.from_series([proxy]).with_expense_drag({"OLD": 0.01})
    both = pd.DataFrame({
        "own": pd.Series(own.prices, index=own.dates),
        "proxy": pd.Series(dragged.prices[:, 0], index=dragged.dates),
    }).dropna()  # fmt: skip
    returns = both.pct_change().dropna()
    # the gap of one session is one return of both
    assert (found.sessions, len(returns)) == (500, 499)
    assert (found.start, found.end) == (own.dates[0].item(), own.dates[-1].item())
    active = returns["own"] - returns["proxy"]
    assert found.tracking_error is not None
    assert found.tracking_error == pytest.approx(active.std(ddof=1) * np.sqrt(252), rel=1e-9)
    assert found.tracking_error == pytest.approx(empyrical.annual_volatility(active), rel=1e-9)
    ours = summary(returns["own"].to_numpy(), returns["proxy"].to_numpy(), 0.0, both.index.values)
    assert found.tracking_error == pytest.approx(ours.tracking_error, rel=1e-9)
    assert found.correlation == pytest.approx(returns["own"].corr(returns["proxy"]), rel=1e-12)
    assert found.warnings == ()


def test_the_overlap_begins_with_the_splice() -> None:
    own, proxy = pair(100)
    date = own.dates[40].item()
    found = overlap(own, proxy, Splice("NEW", "OLD", date))
    assert (found.start, found.sessions) == (date, 60)


def test_a_few_sessions_say_nothing() -> None:
    own, proxy = pair(20)
    splice = Splice("NEW", "OLD", own.dates[0].item())
    found = overlap(own, proxy, splice)
    assert (found.sessions, found.tracking_error, found.correlation) == (20, None, None)
    (warning,) = found.warnings
    assert "NEW and OLD share 20 sessions from 2020-01-15 on, fewer than 21" in warning
    assert overlap(*pair(21), splice).tracking_error is not None


def test_no_correlation_with_what_does_not_move() -> None:
    own, proxy = pair(100)
    flat = PriceSeries("OLD", proxy.dates, np.full(proxy.dates.size, 7.0), TOTAL)
    found = overlap(own, flat, Splice("NEW", "OLD", own.dates[0].item()))
    assert found.tracking_error is not None
    assert found.correlation is None
    assert found.warnings == ("NEW and OLD: one of them does not move, so there is no correlation",)


def test_the_same_prices_are_tracked_without_error() -> None:
    _, proxy = pair(100)
    own = PriceSeries("NEW", proxy.dates[10:], 3 * proxy.prices[10:], TOTAL)
    found = overlap(own, proxy, Splice("NEW", "OLD", own.dates[0].item()))
    assert found.tracking_error == pytest.approx(0, abs=1e-14)
    assert found.correlation == pytest.approx(1, abs=1e-12)
    with pytest.raises(SpliceError, match="do not both have a price on 2019-12-31"):
        overlap(own, proxy, Splice("NEW", "OLD", dt.date(2019, 12, 31)))
