"""Yahoo's answers, over HTTPS from loopback and through yfinance, as bars."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from etf_backtest.market.bars import Bars
from etf_backtest.providers.source import PriceBatch, PriceSource
from tests.fixtures.yahoo_server import YahooServer
from tests.fixtures.yahoo_source import START, THREE_DAYS, source
from tests.fixtures.yahoo_tables import Fund


def batch(yahoo: YahooServer, symbol: str = "SPY", *, end: dt.date | None = None) -> PriceBatch:
    (only,) = source(yahoo, symbol, end=end).batches()
    return only


def column(bars: Bars, field: str) -> list[str]:
    return [str(bars.value(field, row)) for row in range(len(bars))]


def rules(found: PriceBatch) -> list[str]:
    return [finding.rule for finding in found.findings]


class TestValues:
    def test_every_number_is_the_decimal_that_yahoo_meant(self, yahoo: YahooServer) -> None:
        # the server sends 100.1 as 100.0999984741211, as Yahoo does
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)

        bars = batch(yahoo).bars

        assert bars.symbols == ("SPY",)
        assert bars.dates.astype(str).tolist() == ["2024-01-02", "2024-01-03", "2024-01-04"]
        assert column(bars, "open") == ["100.0000", "100.2000", "101.0000"]
        assert column(bars, "high") == ["101.5000", "102.0000", "101.0000"]
        assert column(bars, "low") == ["99.1000", "100.0000", "100.5000"]
        assert column(bars, "close") == ["100.1000", "101.3000", "100.7000"]
        assert column(bars, "adjusted_close") == ["99.1000", "100.3000", "100.7000"]
        assert column(bars, "volume") == ["1000", "2000", "3000"]
        assert column(bars, "dividend_amount") == ["0.000000"] * 3
        assert column(bars, "split_ratio") == ["1.000000000000"] * 3

    def test_it_is_a_source_of_prices(self, yahoo: YahooServer) -> None:
        prices: PriceSource = source(yahoo)

        assert (prices.name, prices.split_adjusted) == ("yahoo", True)

    def test_dividends_splits_and_reverse_splits(self, yahoo: YahooServer) -> None:
        yahoo.funds["SPY"] = Fund(
            rows=THREE_DAYS,
            dividends={"2024-01-03": 0.123456, "2024-01-04": 25.5},  # the second is a special one
            splits={"2024-01-02": (2, 1), "2024-01-04": (1, 8)},
        )

        bars = batch(yahoo).bars

        assert column(bars, "dividend_amount") == ["0.000000", "0.123456", "25.500000"]
        assert column(bars, "split_ratio") == [
            "2.000000000000",
            "1.000000000000",
            "0.125000000000",
        ]

    def test_what_is_null_stays_unknown(self, yahoo: YahooServer) -> None:
        # a frame of yfinance says 0 for this volume
        yahoo.funds["SPY"] = Fund(rows=[("2024-01-02", None, 3.0, 1.0, 2.0, 2.0, None)])

        bars = batch(yahoo).bars

        assert (bars.value("open", 0), bars.value("volume", 0)) == (None, None)
        assert bars.value("close", 0) == Decimal("2.0000")

    def test_days_without_prices_are_told(self, yahoo: YahooServer) -> None:
        nothing = ("2024-01-03", None, None, None, None, None, None)
        yahoo.funds["SPY"] = Fund(
            rows=[THREE_DAYS[0], nothing, THREE_DAYS[2]], dividends={"2024-01-03": 0.5}
        )

        found = batch(yahoo)

        assert found.bars.dates.astype(str).tolist() == ["2024-01-02", "2024-01-04"]
        # whoever held it at the close of the 2nd has the dividend, and the next price is the 4th's
        assert column(found.bars, "dividend_amount") == ["0.000000", "0.500000"]
        assert [str(finding) for finding in found.findings] == [
            "SPY, 2024-01-03: left out: Yahoo has the day, and no price of it",
            "SPY, 2024-01-03: dividend_amount 0.5 is of no session: booked on 2024-01-04",
        ]

    def test_an_ex_date_on_a_weekend_belongs_to_monday(self, yahoo: YahooServer) -> None:
        rows = [(day, 10.0, 10.0, 10.0, 10.0, 10.0, 1) for day in ("2024-01-05", "2024-01-08")]
        yahoo.funds["SPY"] = Fund(rows=rows, dividends={"2024-01-06": 0.2}, splits={
            "2024-01-07": (3, 2)
        })  # fmt: skip

        found = batch(yahoo)

        assert column(found.bars, "dividend_amount") == ["0.000000", "0.200000"]
        assert column(found.bars, "split_ratio") == ["1.000000000000", "1.500000000000"]
        assert rules(found) == ["event_moved", "event_moved"]

    def test_an_event_after_the_last_session_waits_for_it(self, yahoo: YahooServer) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS, dividends={"2024-01-05": 0.2})

        found = batch(yahoo)

        assert column(found.bars, "dividend_amount") == ["0.000000"] * 3
        assert rules(found) == ["event_without_session"]

    def test_sessions_are_the_exchange_s_own_days(self, yahoo: YahooServer) -> None:
        # Sydney opens at 10:00 on the 3rd, which is the 2nd in UTC
        yahoo.funds["VAS.AX"] = Fund(
            rows=[("2024-01-03", 9.0, 9.0, 9.0, 9.0, 9.0, 1)],
            zone="Australia/Sydney",
            hours=("10:00", "16:00"),
            currency="AUD",
        )

        found = batch(yahoo, "VAS.AX")

        assert found.bars.dates.astype(str).tolist() == ["2024-01-03"]
        assert [str(finding) for finding in found.findings] == [
            "VAS.AX: prices are in AUD, not in USD"
        ]

    def test_an_end_is_included(self, yahoo: YahooServer) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)

        bars = batch(yahoo, end=dt.date(2024, 1, 3)).bars

        assert bars.dates.astype(str).tolist() == ["2024-01-02", "2024-01-03"]

    def test_a_running_session_is_left_out_and_told(self, yahoo: YahooServer) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS, market_open=True)

        found = batch(yahoo)

        assert found.bars.dates.astype(str).tolist() == ["2024-01-02", "2024-01-03"]
        assert [str(finding) for finding in found.findings] == [
            "SPY, 2024-01-04: left out: the session ends at 16:00 (America/New_York), its price "
            "is of 2024-01-04 14:05"
        ]

    def test_what_is_seldom_traded_is_over_when_the_evening_is(self, yahoo: YahooServer) -> None:
        # its last price is of 14:05, trading after hours ended at 20:00
        evening = Fund(rows=THREE_DAYS, market_open=True, clock="21:59:59")
        yahoo.funds["SPY"] = evening
        assert len(batch(yahoo).bars) == 2

        yahoo.funds["SPY"] = replace(evening, clock="22:00:00")
        assert len(batch(yahoo).bars) == 3

    @pytest.mark.parametrize("left_out", ["currentTradingPeriod", "regularMarketTime"])
    def test_an_answer_that_does_not_speak_of_the_market(
        self, yahoo: YahooServer, left_out: str
    ) -> None:
        silent = Fund(rows=THREE_DAYS, clock="18:00:00", meta={left_out: None})
        yahoo.funds["SPY"] = silent
        found = batch(yahoo)
        assert [str(day) for day in found.bars.dates] == ["2024-01-02", "2024-01-03"]
        assert rules(found) == ["unfinished_session"]

        yahoo.funds["SPY"] = replace(silent, clock=None)  # answered today: years later
        assert len(batch(yahoo).bars) == 3

    def test_numbers_and_days_are_those_of_yfinance_s_own_frame(self, yahoo: YahooServer) -> None:
        import yfinance  # type: ignore[import-untyped]

        yahoo.funds["SPY"] = Fund(
            rows=THREE_DAYS, dividends={"2024-01-03": 0.25}, splits={"2024-01-04": (3, 1)}
        )
        prices = source(yahoo)
        (only,) = prices.batches()

        with pytest.warns(DeprecationWarning, match="inplace"):  # its use of pandas
            frame = yfinance.Ticker("SPY", session=prices._charts.session).history(
                start=START, auto_adjust=False, actions=True
            )

        assert frame.index.date.tolist() == only.bars.dates.tolist()
        for name, field in {
            "Open": "open",
            "High": "high",
            "Low": "low",
            "Close": "close",
            "Adj Close": "adjusted_close",
            "Volume": "volume",
            "Dividends": "dividend_amount",
        }.items():
            ours = [float(value) for value in column(only.bars, field)]
            assert ours == pytest.approx(frame[name].tolist(), abs=5e-5), name
        # its 0 is our 1: no split
        assert frame["Stock Splits"].tolist() == [0.0, 0.0, 3.0]
        assert column(only.bars, "split_ratio")[2] == "3.000000000000"


class TestCapitalGains:
    def test_a_gain_beside_a_smaller_dividend_is_added(self, yahoo: YahooServer) -> None:
        yahoo.funds["VWILX"] = Fund(
            rows=THREE_DAYS,
            dividends={"2024-01-03": 0.3},
            capital_gains={"2024-01-03": 1.2, "2024-01-04": 0.7},
            instrument="MUTUALFUND",
        )

        found = batch(yahoo, "VWILX")

        # 0.3 + 1.2; and 0.7 without dividend
        assert column(found.bars, "dividend_amount") == ["0.000000", "1.500000", "0.700000"]
        assert found.findings == ()

    def test_a_dividend_that_contains_the_gain_is_not_counted_twice(
        self, yahoo: YahooServer
    ) -> None:
        # VWILX on 2025-12-17: the fund paid 1.437 and a gain of 6.42, Yahoo says 7.857 and 6.42
        # (yfinance's issue 2666)
        yahoo.funds["VWILX"] = Fund(
            rows=THREE_DAYS,
            dividends={"2024-01-03": 7.857},
            capital_gains={"2024-01-03": 6.42},
            instrument="MUTUALFUND",
        )

        found = batch(yahoo, "VWILX")

        assert column(found.bars, "dividend_amount") == ["0.000000", "7.857000", "0.000000"]
        assert rules(found) == ["capital_gain"]
        assert "if it does not, the distribution was 14.277" in found.findings[0].message

    def test_a_dividend_in_another_currency_is_unknown(self, yahoo: YahooServer) -> None:
        yahoo.funds["SPY"] = Fund(
            rows=THREE_DAYS, dividends={"2024-01-03": 500.0}, dividend_currency="VND"
        )

        found = batch(yahoo)

        assert column(found.bars, "dividend_amount") == ["0.000000", "None", "0.000000"]
        assert rules(found) == ["dividend_currency"]
