"""Proxies of young funds, from the definition to the result that says what part of it they are."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from etf_backtest.cli.etf_splice import register
from etf_backtest.cli.rules_view import rules_in_words
from etf_backtest.database.connection import Database
from etf_backtest.database.price_store import store_bars
from etf_backtest.errors import (
    BacktestFailedError,
    NoClosesError,
    NoPricesError,
    NotFoundError,
    SpliceError,
)
from etf_backtest.market.bar import Bar
from etf_backtest.market.splice import Splice
from etf_backtest.services.backtest import BacktestRun, run_backtest
from etf_backtest.services.portfolios import create_portfolio
from etf_backtest.services.price_panel import load_prices
from etf_backtest.services.proxies import define_proxy, find_proxy, list_proxies, remove_proxy
from etf_backtest.services.verification import verify_backtest
from etf_backtest.simulation import Rules

SESSIONS, FIRST = 60, 20
DAYS = [day.date() for day in pd.bdate_range("2024-01-01", periods=SESSIONS)]
RANDOM = np.random.default_rng(11)
RETURNS = RANDOM.normal(0, 0.01, SESSIONS)
OLD = 100 * np.cumprod(1 + RETURNS)
NEW = 50 * np.cumprod(1 + RETURNS + RANDOM.normal(0, 0.001, SESSIONS))
OLDER = 10 * np.cumprod(1 + RANDOM.normal(0, 0.01, SESSIONS))


async def store(
    db: Database, symbol: str, prices: np.ndarray, *, first: int = 0, closes: bool = False
) -> None:
    """Store prices from one row of DAYS on, rounded to four decimals: closes, or adjusted ones."""
    bars = []
    for day, price in zip(DAYS[first:], prices[first:], strict=True):
        value = Decimal(f"{price:.4f}")
        if closes:
            paid = {"dividend_amount": Decimal(0), "split_ratio": Decimal(1)}
            bars.append(Bar(symbol, day, close=value, **paid))  # type: ignore[arg-type]
        else:
            bars.append(Bar(symbol, day, adjusted_close=value))
    await store_bars(db.url, bars, source="test")


@pytest.fixture
async def prices(db: Database) -> None:
    """NEW has closes from row 20 on, OLD all the time."""
    await store(db, "NEW", NEW, first=FIRST, closes=True)
    await store(db, "OLD", OLD, closes=True)
    await create_portfolio(
        db, name="p", allocations={"NEW": Decimal(1)}, initial_capital=Decimal(10_000)
    )


async def run(db: Database, **changes: Any) -> BacktestRun:
    return await run_backtest(db, **{"portfolio": "p", "strategy": "buy-and-hold", **changes})


# -- the definition --------------------------------------------------------------------------------


@pytest.mark.each_postgres
@pytest.mark.usefixtures("prices")
async def test_a_definition_is_stored_with_its_figures(db: Database) -> None:
    done = await define_proxy(db, "new", before="old", annual_fee=0.0005)
    row = done.row
    assert (row.symbol, row.proxySymbol, row.annualFee) == ("NEW", "OLD", Decimal("0.0005"))
    assert row.spliceDate.date() == DAYS[FIRST]
    assert row.overlapStart is not None
    assert row.overlapEnd is not None
    assert (row.overlapStart.date(), row.overlapEnd.date()) == (DAYS[FIRST], DAYS[-1])
    assert row.overlapSessions == 40
    # pandas, on prices as stored
    frame = pd.DataFrame({"new": NEW.round(4), "old": OLD.round(4)}, index=pd.DatetimeIndex(DAYS))
    returns = frame[FIRST:].pct_change().dropna()
    days = frame.index[FIRST:].to_series().diff().dt.days.dropna()
    returns["old"] = (1 + returns["old"]) * (1 - 0.0005 * days / 365) - 1
    active = returns["new"] - returns["old"]
    assert row.trackingError is not None
    assert row.correlation is not None
    # rounded to the six decimals of their columns
    assert float(row.trackingError) == pytest.approx(active.std() * 252**0.5, abs=5.1e-7)
    assert float(row.correlation) == pytest.approx(returns.corr().iloc[0, 1], abs=5.1e-7)
    last = await db.pricerevision.find_first(order={"number": "desc"})
    assert last is not None
    assert row.revision == last.number
    assert (done.replaced, done.warnings) == (None, ())
    assert (await find_proxy(db, "new")).id == row.id
    assert [each.symbol for each in await list_proxies(db)] == ["NEW"]


@pytest.mark.usefixtures("prices")
async def test_a_second_definition_replaces_the_first(db: Database) -> None:
    await store(db, "OLDER", OLDER)
    first = await define_proxy(db, "NEW", before="OLD", annual_fee=Decimal("0.01"))
    second = await define_proxy(db, "NEW", before="OLDER", date=DAYS[30])
    assert (second.row.id, second.replaced) == (first.row.id, "OLD")
    assert (second.row.proxySymbol, second.row.annualFee) == ("OLDER", Decimal(0))
    assert second.row.spliceDate.date() == DAYS[30]
    assert second.warnings == (
        f"NEW: 10 of its own prices, from {DAYS[20]} to {DAYS[29]}, are not used: OLDER stands "
        f"there until {DAYS[30]}",
    )
    removed = await remove_proxy(db, "new")
    assert removed.id == first.row.id
    for gone in (remove_proxy, find_proxy):
        with pytest.raises(NotFoundError, match="no proxy of 'NEW'"):
            await gone(db, "NEW")


@pytest.mark.usefixtures("prices")
async def test_a_short_overlap_has_no_figures(db: Database) -> None:
    await store(db, "YOUNG", NEW, first=SESSIONS - 5)
    done = await define_proxy(db, "YOUNG", before="OLD")
    assert done.row.overlapSessions == 5
    assert (done.row.trackingError, done.row.correlation) == (None, None)
    assert "YOUNG and OLD share 5 sessions" in done.warnings[0]


@pytest.mark.usefixtures("prices")
async def test_what_cannot_be_defined(db: Database) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"before": "NEW"}, "NEW would be its own proxy"),
        ({"annual_fee": -0.0005}, "expected a fee from 0 to 0.2"),
        ({"annual_fee": 0.0000005}, "expected a fee of at most 6 decimals"),
        ({"date": dt.date(2024, 2, 3)}, "NEW has no price on 2024-02-03: the next one is on 2024"),
        ({"date": DAYS[10]}, f"NEW has no price on {DAYS[10]}: the next one is on {DAYS[20]}"),
    ]
    for changes, said in cases:
        with pytest.raises(SpliceError) as caught:
            await define_proxy(db, "NEW", **{"before": "OLD", **changes})
        assert said in str(caught.value)
        assert caught.value.remedy
    with pytest.raises(
        SpliceError, match=r"the prices of NEW begin on .* nothing to put before OLD"
    ):
        await define_proxy(db, "OLD", before="NEW", date=DAYS[FIRST])
    with pytest.raises(NoPricesError, match="NONE: no prices are stored"):
        await define_proxy(db, "NEW", before="none")
    assert await list_proxies(db) == []


@pytest.mark.usefixtures("prices")
async def test_no_circles_and_no_late_links(db: Database) -> None:
    await store(db, "OLDER", OLDER)
    await db.execute_raw("DELETE FROM market_data WHERE symbol = 'OLD' AND date < '2024-01-15'")
    await define_proxy(db, "OLD", before="OLDER")
    await define_proxy(db, "NEW", before="OLD")
    with pytest.raises(SpliceError, match="OLDER would be its own proxy"):
        await define_proxy(db, "OLDER", before="NEW")
    with pytest.raises(SpliceError, match=f"OLD is the proxy of NEW before {DAYS[20]}, and would"):
        await define_proxy(db, "OLD", before="OLDER", date=DAYS[25])
    # somebody else writes one: it is told, and does not run for ever
    await db.execute_raw("UPDATE etf_proxies SET proxy_symbol = 'NEW' WHERE symbol = 'OLD'")
    with pytest.raises(
        SpliceError, match="NEW before OLD before NEW is a circle; the stored splice"
    ):
        await load_prices(db.url, ["NEW"])


# -- in runs ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("prices")
async def test_runs_use_it_and_say_so(db: Database) -> None:
    await define_proxy(db, "NEW", before="OLD", annual_fee=0.01)
    done = await run(db)
    assert done.result.window.start == DAYS[0]
    assert (done.result.panel.splices) == (Splice("NEW", "OLD", DAYS[FIRST], 0.01),)
    results: Any = done.backtest.results
    assert results["proxies"] == [
        {
            "symbol": "NEW",
            "proxy": "OLD",
            "splice_date": DAYS[FIRST].isoformat(),
            "annual_fee": 0.01,
            "sessions": 20,
            "share": 20 / 60,
            "sessions_before": 0,
        }
    ]
    assert (
        f"NEW: 20 of 60 sessions (33.3 %) are proxy data of OLD, before {DAYS[FIRST]}, at a fee of "
        "1 % a year" in results["warnings"]
    )
    # the value grows as OLD does less the fee until the splice, and as NEW from then on
    equity = done.result.book.equity
    days = np.diff(np.array(DAYS[: FIRST + 1], dtype="datetime64[D]")).astype(float)
    old = OLD.round(4)
    left = old[FIRST] / old[0] * np.prod(1 - 0.01 * days / 365)
    assert equity[FIRST] == pytest.approx(10_000 * left, rel=1e-12)
    assert equity[-1] / equity[FIRST] == pytest.approx(round(NEW[-1], 4) / round(NEW[FIRST], 4))


@pytest.mark.usefixtures("prices")
async def test_without_proxies_and_where_none_is_needed(db: Database) -> None:
    before = await run(db)
    await define_proxy(db, "NEW", before="OLD")
    left_away = await run(db, proxies=False)
    own = await run(db, start=DAYS[FIRST])
    for done in (left_away, own):
        results: Any = done.backtest.results
        assert done.result.window.start == DAYS[FIRST]
        assert results["proxies"] == []
        assert results["equity"] == before.result.book.equity.tolist()
        assert not any("proxy" in warning for warning in results["warnings"])
        assert done.result.fingerprint == before.result.fingerprint


@pytest.mark.usefixtures("prices")
async def test_a_benchmark_with_a_proxy(db: Database) -> None:
    await define_proxy(db, "NEW", before="OLD")
    await create_portfolio(
        db, name="q", allocations={"OLD": Decimal(1)}, initial_capital=Decimal(10_000)
    )
    done = await run(db, portfolio="q", benchmark="new")
    assert [(share.symbol, share.sessions) for share in done.result.proxies] == [("NEW", 20)]


@pytest.mark.usefixtures("prices")
async def test_dividends_as_cash_want_closes(db: Database) -> None:
    await define_proxy(db, "NEW", before="OLD")
    rules = Rules(dividends="cash")
    with pytest.raises(NoClosesError, match=f"total-return prices only before {DAYS[FIRST]}"):
        await run(db, rules=rules)
    assert (await run(db, rules=rules, start=DAYS[FIRST])).result.proxies == ()


@pytest.mark.usefixtures("prices")
async def test_a_chain(db: Database) -> None:
    await store(db, "OLDER", OLDER)
    await db.execute_raw("DELETE FROM market_data WHERE symbol = 'OLD' AND date < '2024-01-15'")
    await define_proxy(db, "OLD", before="OLDER", annual_fee=0.02)
    await define_proxy(db, "NEW", before="OLD", annual_fee=0.01)
    done = await run(db)
    shares = [(each.proxy, each.sessions, each.annual_fee) for each in done.result.proxies]
    assert shares == [("OLD", 10, 0.01), ("OLDER", 10, 0.02)]
    days = np.diff(np.array(DAYS[:11], dtype="datetime64[D]")).astype(float)
    fees = np.prod((1 - 0.02 * days / 365) * (1 - 0.01 * days / 365))
    older = OLDER.round(4)
    grown = done.result.book.equity[10] / 10_000
    assert grown == pytest.approx(older[10] / older[0] * fees, rel=1e-12)
    assert (await verify_backtest(db, done.backtest.id, ledger=True)).good


@pytest.mark.usefixtures("prices")
async def test_what_people_are_shown(db: Database) -> None:
    await define_proxy(db, "NEW", before="OLD", annual_fee=0.01)
    for start, expected in (
        (None, [f"NEW is OLD less 1% a year before {DAYS[FIRST]}: 33.3% of the sessions"]),
        (DAYS[FIRST], []),
    ):
        row: Any = (await run(db, start=start)).backtest
        told = [
            words for name, words in rules_in_words(row.options, row.results) if name == "proxy"
        ]
        assert told == expected


# -- afterwards ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("prices")
async def test_a_run_is_verified_with_the_proxies_that_it_had(db: Database) -> None:
    bare = (await run(db)).backtest.id
    await define_proxy(db, "NEW", before="OLD", annual_fee=0.01)
    with_proxy = (await run(db)).backtest.id
    await define_proxy(db, "NEW", before="OLD", annual_fee=0.02)
    for backtest in (bare, with_proxy):
        verification = await verify_backtest(db, backtest, ledger=True)
        assert verification.identical, verification
        assert verification.good
    await remove_proxy(db, "NEW")
    assert (await verify_backtest(db, with_proxy)).identical


@pytest.mark.usefixtures("prices")
async def test_a_splice_that_does_not_fit_any_more(db: Database) -> None:
    await define_proxy(db, "NEW", before="OLD")
    done = await run(db)
    await db.execute_raw(f"DELETE FROM market_data WHERE symbol = 'OLD' AND date = '{DAYS[FIRST]}'")
    with pytest.raises(SpliceError) as caught:
        await run(db)
    assert not isinstance(caught.value, BacktestFailedError)
    assert str(caught.value) == (
        f"NEW cannot have OLD as its proxy: OLD has no price on {DAYS[FIRST]}: the next one is on "
        f"{DAYS[FIRST + 1]}; the stored splice does not fit the stored prices (define it again "
        "(etf-backtest etf splice NEW --before OLD), remove it (--remove), or run without proxies "
        "(--no-proxies))"
    )
    verification = await verify_backtest(db, done.backtest.id)
    assert verification.identical  # with the prices that it was run with
    assert verification.revised == {"OLD": 1}
    await run(db, proxies=False)
    await db.execute_raw("DELETE FROM market_data WHERE symbol = 'OLD'")
    with pytest.raises(SpliceError, match="OLD: no prices are stored; the stored splice does not"):
        await run(db)


@pytest.mark.usefixtures("prices")
async def test_own_prices_before_the_splice_are_told_where_they_matter(db: Database) -> None:
    await define_proxy(db, "NEW", before="OLD")
    await store(db, "NEW", NEW, first=15, closes=True)  # the vendor found five more
    said = f"NEW: 5 of its own prices, from {DAYS[15]} to {DAYS[19]}, are not used: OLD stands"
    results: Any = (await run(db)).backtest.results
    assert any(warning.startswith(said) for warning in results["warnings"])
    results = (await run(db, start=DAYS[25])).backtest.results
    assert not any(warning.startswith(said) for warning in results["warnings"])


# -- the command -----------------------------------------------------------------------------------


@pytest.fixture
def app() -> typer.Typer:
    group = typer.Typer()
    group.callback()(lambda: None)
    register(group)
    return group


@pytest.mark.usefixtures("prices")
def test_the_command(app: typer.Typer, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "120")

    def call(*arguments: str, code: int = 0) -> tuple[str, str]:
        done = CliRunner().invoke(app, ["splice", *arguments])
        assert done.exit_code == code, (done.output, done.exception)
        return done.stdout, done.stderr

    assert "no fund has a proxy" in call()[1]
    out, _ = call("new", "--before", "old", "--fee", "0.05%", "--json")
    data = json.loads(out)
    assert (data["annual_fee"], data["splice_date"]) == ("0.0005", DAYS[FIRST].isoformat())
    out, err = call("NEW", "--before", "OLD", "--date", str(DAYS[25]))
    assert "it replaces the proxy OLD of NEW" in err
    assert "warning: NEW: 5 of its own prices" in err
    assert "0.0000 %" in out
    assert json.loads(call("--json")[0])[0]["overlap_sessions"] == 35
    assert "35 sessions" in call()[0]
    assert str(DAYS[25]) in call("new")[0]
    for wrong in (
        ("--before", "OLD"),
        ("NEW", "--fee", "1%"),
        ("NEW", "--before", "OLD", "--remove"),
        ("NEW", "--before", "OLD", "--date", "soon"),
    ):
        call(*wrong, code=2)
    assert "NEW begins with its own prices again" in call("new", "--remove")[1]
    assert call("--json")[0].strip() == "[]"
