"""Yahoo's answers, over HTTPS from loopback and through yfinance, as bars."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest

from etf_backtest.errors import (
    MalformedAnswerError,
    NoSessionsError,
    OptionalDependencyError,
    ProviderError,
    ProviderUnavailableError,
    RateLimitedError,
    RefusedError,
    SymbolNotFoundError,
)
from etf_backtest.market.bars import Bars
from etf_backtest.providers.retries import RetryPolicy
from etf_backtest.providers.source import PriceBatch, PriceSource
from etf_backtest.providers.yahoo import YahooPrices
from tests.fixtures.yahoo_server import CRUMB, HTML, Fault, Fund, YahooServer

START = dt.date(2024, 1, 1)
ONCE = RetryPolicy(attempts=1)
QUICK = RetryPolicy(attempts=4, first_wait=0.01, longest_wait=2.0)

THREE_DAYS = [
    ("2024-01-02", 100.0, 101.5, 99.1, 100.1, 99.1, 1_000),
    ("2024-01-03", 100.2, 102.0, 100.0, 101.3, 100.3, 2_000),
    ("2024-01-04", 101.0, 101.0, 100.5, 100.7, 100.7, 3_000),
]


class Told(list[str]):
    """What was narrated."""

    def __call__(self, text: str) -> None:
        self.append(text)


def source(
    yahoo: YahooServer,
    symbol: str = "SPY",
    *,
    retries: RetryPolicy = ONCE,
    told: Told | None = None,
    end: dt.date | None = None,
) -> YahooPrices:
    return YahooPrices(
        [symbol],
        START,
        end,
        cache_dir=Path.home() / "cache",
        connection=yahoo.connection,
        retries=retries,
        narrate=Told() if told is None else told,
    )


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


class TestTroubleThatPasses:
    @pytest.mark.parametrize(
        ("fault", "said"),
        [
            (Fault(status=429, body="Too Many Requests"), "no more requests for now (HTTP 429);"),
            (Fault(status=999, body="denied"), "no more requests for now (HTTP 999);"),
            (Fault(status=500, body="oops"), "failed (HTTP 500)"),
            (Fault(status=502, body=HTML), "failed (HTTP 502)"),
            (Fault(truncated=40), "broke off before its answer was complete"),
            (Fault(cut=True), "broke off before its answer was complete"),
            (Fault(body=HTML), "is a web page: '<!doctype html>"),
            (Fault(body='{"chart": {"result": [{"meta"'), "is cut off or not JSON"),
            (Fault(body=""), "is cut off or not JSON: ''"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_it_is_told_and_asked_again(self, yahoo: YahooServer, fault: Fault, said: str) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)
        yahoo.faults["SPY"] = [fault, fault]
        told = Told()

        (found,) = source(yahoo, retries=QUICK, told=told).batches()

        assert len(found.bars) == 3
        assert len(told) == 2
        assert all(text.startswith("SPY: ") and said in text for text in told)
        assert "; attempt 2 of 4 in 0.0 s" in told[0]

    def test_a_failure_of_the_second_request_is_not_kept_in_memory(
        self, yahoo: YahooServer
    ) -> None:
        # yfinance keeps answers about the past, failed ones too
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)
        yahoo.faults["SPY"] = [Fault(), Fault(body="{")]

        prices = source(yahoo, retries=QUICK, end=dt.date(2024, 1, 31))

        assert [len(found.bars) for found in prices.batches()] == [3]
        assert yahoo.charts_asked_for("SPY") == 2

    def test_retry_after_is_respected(self, yahoo: YahooServer) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)
        yahoo.faults["SPY"] = [Fault(status=429, body="", headers={"Retry-After": "1"})]
        told = Told()

        list(source(yahoo, retries=QUICK, told=told).batches())

        assert told == [
            "SPY: Yahoo takes no more requests for now (HTTP 429) and asks for 1 seconds; "
            "attempt 2 of 4 in 1.0 s"
        ]

    def test_nobody_waits_for_an_hour(self, yahoo: YahooServer) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)
        yahoo.faults["SPY"] = [Fault(status=429, body="", headers={"Retry-After": "3600"})]

        with pytest.raises(RateLimitedError, match="asks for 3,600 seconds") as caught:
            list(source(yahoo, retries=QUICK).batches())

        assert caught.value.retry_after == 3600
        assert caught.value.remedy is not None

    def test_it_ends_after_so_many_attempts(self, yahoo: YahooServer) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)
        yahoo.faults["SPY"] = [Fault(status=503, body="")] * 9

        with pytest.raises(ProviderUnavailableError, match=r"^SPY: Yahoo failed \(HTTP 503\)"):
            list(source(yahoo, retries=QUICK).batches())

        # four attempts of one request each: yfinance alone asks twice
        assert len(yahoo.queries) == 4

    def test_silence(self, yahoo: YahooServer) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)
        yahoo.faults["SPY"] = [Fault(delay=30)]
        connection = yahoo.connection
        prices = YahooPrices(
            ["SPY"],
            START,
            cache_dir=Path.home() / "cache",
            connection=type(connection)(
                proxy=connection.proxy, ca_file=connection.ca_file, timeout=0.3
            ),
            retries=ONCE,
        )

        with pytest.raises(ProviderUnavailableError, match=r"did not answer within 0\.3 seconds"):
            list(prices.batches())

    def test_nothing_listens(self, yahoo: YahooServer) -> None:
        connection = type(yahoo.connection)(proxy="http://127.0.0.1:1", timeout=2.0)
        prices = YahooPrices(
            ["SPY"], START, cache_dir=Path.home(), connection=connection, retries=ONCE
        )

        with pytest.raises(ProviderUnavailableError, match="cannot be reached"):
            list(prices.batches())


class TestAnswersThatSayNo:
    def test_a_symbol_that_is_not_there(self, yahoo: YahooServer) -> None:
        with pytest.raises(SymbolNotFoundError) as caught:
            list(source(yahoo, "NOPE", retries=QUICK).batches())

        assert caught.value.message == (
            "NOPE: Yahoo does not have it: No data found, symbol may be delisted"
        )
        assert len(yahoo.queries) == 1  # asked once

    @pytest.mark.parametrize("symbol", ["US78462F1033", "A/B", "../quote", "spy"])
    def test_what_is_no_symbol_is_not_asked_for(self, yahoo: YahooServer, symbol: str) -> None:
        with pytest.raises(SymbolNotFoundError, match="this is"):
            list(source(yahoo, symbol).batches())

        assert yahoo.requests == []

    def test_a_window_without_prices(self, yahoo: YahooServer) -> None:
        reason = "Data doesn't exist for startDate = 1704085200, endDate = 1704171600"
        body = (
            '{"chart": {"result": null, "error": {"code": "Bad Request", "description": '
            f'"{reason}"}}}}}}'
        )
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)
        yahoo.faults["SPY"] = [Fault(), Fault(status=400, body=body)]

        with pytest.raises(NoSessionsError, match="Data doesn't exist"):
            list(source(yahoo).batches())

    def test_an_empty_answer(self, yahoo: YahooServer) -> None:
        yahoo.funds["SPY"] = Fund(rows=[("2023-12-29", 1.0, 1.0, 1.0, 1.0, 1.0, 1)])

        with pytest.raises(NoSessionsError, match=r"no prices from 2024-01-01: its answer is"):
            list(source(yahoo).batches())

    def test_denied(self, yahoo: YahooServer) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)
        yahoo.faults["SPY"] = [Fault(status=403, body="Forbidden")] * 9

        with pytest.raises(RefusedError, match=r"refused the request \(HTTP 403\): 'Forbidden'"):
            list(source(yahoo).batches())

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ("[]", "is not an object"),
            ("{}", "has no chart"),
            ('{"chart": null}', "has no chart"),
            ('{"chart": {"result": null, "error": null}}', "has no result"),
            ('{"chart": {"result": [], "error": null}}', "has no result"),
            ('{"chart": {"result": [{}], "error": null}}', "KeyError: 'meta'"),
        ],
    )
    def test_json_that_is_no_chart(self, yahoo: YahooServer, body: str, said: str) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)
        yahoo.faults["SPY"] = [Fault(body=body)] * 3

        with pytest.raises(MalformedAnswerError) as caught:
            list(source(yahoo, retries=QUICK).batches())

        assert caught.value.message.startswith("SPY: the answer of Yahoo ")
        assert said in caught.value.message
        assert len(yahoo.queries) == 1  # the same again would be no better

    @pytest.mark.parametrize(
        ("meta", "said"),
        [
            ({"symbol": "IVV"}, "is about 'IVV'"),
            ({"dataGranularity": "1mo"}, "has a row per '1mo'"),
            ({"exchangeTimezoneName": "Moon/Crater"}, "unknown time zone"),
            ({"instrumentType": None}, "KeyError: 'instrumentType'"),
            ({"currentTradingPeriod": {"regular": {}}}, "KeyError: 'start'"),
        ],
    )
    def test_a_chart_of_something_else(
        self, yahoo: YahooServer, meta: dict[str, object], said: str
    ) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS, meta=meta)

        with pytest.raises(ProviderError, match=said):
            list(source(yahoo).batches())


class TestManners:
    def test_cookie_and_crumb_come_first(self, yahoo: YahooServer) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)
        yahoo.needs_crumb = True

        assert len(batch(yahoo).bars) == 3
        assert yahoo.requests[:2] == [
            ("fc.yahoo.com", "/"),
            ("query1.finance.yahoo.com", "/v1/test/getcrumb"),
        ]
        assert all(query["crumb"] == [CRUMB] for _, query in yahoo.queries)

    def test_a_crumb_that_is_rate_limited_is_told_and_not_needed(self, yahoo: YahooServer) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)
        yahoo.faults["crumb"] = [Fault(status=429, body="Too Many Requests")]
        told = Told()

        list(source(yahoo, told=told).batches())

        assert told == ["yfinance: Crumb fetch rate-limited (HTTP 429), continuing without crumb"]

    def test_consent_is_given_where_it_is_asked_for(self, yahoo: YahooServer) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)
        yahoo.needs_consent = True

        assert len(batch(yahoo).bars) == 3
        assert ("consent.yahoo.com", "/v2/collectConsent") in yahoo.requests

    def test_nothing_is_written_but_to_the_cache(self, yahoo: YahooServer, user_home: Path) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)

        batch(yahoo)

        written = {path.relative_to(user_home).parts[:2] for path in user_home.rglob("*.db")}
        assert written == {("cache", "yfinance")}

    def test_yfinance_s_settings_are_as_they_were(self, yahoo: YahooServer) -> None:
        import yfinance

        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)
        batch(yahoo)

        assert yfinance.config.debug.hide_exceptions is True

    def test_prices_are_asked_for_as_they_are(self, yahoo: YahooServer) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)
        batch(yahoo, end=dt.date(2024, 1, 3))

        _, query = yahoo.queries[-1]
        # 2024-01-01 and, since Yahoo's end is not included, 2024-01-04, at midnight in New York
        assert (query["period1"], query["period2"]) == (["1704085200"], ["1704344400"])
        assert query["interval"] == ["1d"]
        assert query["events"] == ["div,splits,capitalGains"]

    def test_without_the_extra(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        import sys

        monkeypatch.delitem(sys.modules, "etf_backtest.providers.yahoo_session", raising=False)
        monkeypatch.setitem(sys.modules, "yfinance", None)

        with pytest.raises(OptionalDependencyError) as caught:
            YahooPrices(["SPY"], cache_dir=tmp_path)

        assert caught.value.remedy == 'pip install "etf-backtest[yahoo]"'
