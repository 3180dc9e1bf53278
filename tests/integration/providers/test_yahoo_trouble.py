"""What Yahoo answers when it does not answer, and how it is spoken with."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import pytest

from etf_backtest.errors import (
    MalformedAnswerError,
    NoSessionsError,
    OptionalDependencyError,
    ProviderCacheError,
    ProviderError,
    ProviderUnavailableError,
    RateLimitedError,
    RefusedError,
    SymbolNotFoundError,
)
from etf_backtest.providers.retries import RetryPolicy
from etf_backtest.providers.source import PriceBatch
from etf_backtest.providers.yahoo import YahooPrices
from etf_backtest.providers.yahoo_connection import YahooConnection
from tests.fixtures.yahoo_server import CRUMB, HTML, Fault, YahooServer
from tests.fixtures.yahoo_source import ONCE, START, THREE_DAYS, Told, source
from tests.fixtures.yahoo_tables import Fund

QUICK = RetryPolicy(attempts=4, first_wait=0.01, longest_wait=2.0)


def only_batch(yahoo: YahooServer) -> PriceBatch:
    (only,) = source(yahoo).batches()
    return only


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
            connection=YahooConnection(
                proxy=connection.proxy, ca_file=connection.ca_file, timeout=0.3
            ),
            retries=ONCE,
        )

        with pytest.raises(ProviderUnavailableError, match=r"did not answer within 0\.3 seconds"):
            list(prices.batches())

    def test_nothing_listens(self, yahoo: YahooServer) -> None:
        connection = YahooConnection(proxy="http://127.0.0.1:1", timeout=2.0)
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

        assert len(only_batch(yahoo).bars) == 3
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

        assert len(only_batch(yahoo).bars) == 3
        assert ("consent.yahoo.com", "/v2/collectConsent") in yahoo.requests

    def test_nothing_is_written_but_to_the_cache(self, yahoo: YahooServer, user_home: Path) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)

        only_batch(yahoo)

        written = {path.relative_to(user_home).parts[:2] for path in user_home.rglob("*.db")}
        assert written == {("cache", "yfinance")}

    def test_yfinance_s_settings_are_as_they_were(self, yahoo: YahooServer) -> None:
        import yfinance  # type: ignore[import-untyped]

        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)
        only_batch(yahoo)

        assert yfinance.config.debug.hide_exceptions is True

    def test_a_session_that_yfinance_keeps_is_an_ordinary_one(self, yahoo: YahooServer) -> None:
        import yfinance

        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)
        only_batch(yahoo)
        yahoo.faults["SPY"] = [Fault(status=500, body="oops")] * 9

        # what yfinance itself does about it: log it, return nothing
        assert yfinance.Ticker("SPY").history(start=START).empty

    def test_a_broken_cache(self, yahoo: YahooServer, user_home: Path) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)
        folder = user_home / "cache" / "yfinance"
        folder.mkdir(parents=True)
        (folder / "tkr-tz.db").write_bytes(b"no database" * 100)

        with pytest.raises(ProviderCacheError, match="file is not a database") as caught:
            only_batch(yahoo)

        assert caught.value.folder == str(folder)

    def test_a_cache_that_cannot_be_made(self, yahoo: YahooServer, user_home: Path) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)
        (user_home / "cache").write_text("a file where the folder should be")

        assert len(only_batch(yahoo).bars) == 3

    def test_prices_are_asked_for_as_they_are(self, yahoo: YahooServer) -> None:
        yahoo.funds["SPY"] = Fund(rows=THREE_DAYS)
        list(source(yahoo, end=dt.date(2024, 1, 3)).batches())

        _, query = yahoo.queries[-1]
        # 2024-01-01 and, since Yahoo's end is not included, 2024-01-04, at midnight in New York
        assert (query["period1"], query["period2"]) == (["1704085200"], ["1704344400"])
        assert query["interval"] == ["1d"]
        assert query["events"] == ["div,splits,capitalGains"]

    def test_without_the_extra(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delitem(sys.modules, "etf_backtest.providers.yahoo_session", raising=False)
        monkeypatch.setitem(sys.modules, "yfinance", None)

        with pytest.raises(OptionalDependencyError) as caught:
            YahooPrices(["SPY"], cache_dir=tmp_path)

        assert caught.value.remedy == 'pip install "etf-backtest[yahoo]"'
