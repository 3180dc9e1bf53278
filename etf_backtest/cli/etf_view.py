"""Funds as JSON and as text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from etf_backtest.cli import console

if TYPE_CHECKING:
    from etf_backtest.database.models import ETFFacts, ETFProxy
    from etf_backtest.services.etf_facts import FundFacts, Stated
    from etf_backtest.services.etf_import import FundImport
    from etf_backtest.services.etfs import Fund, FundDetails, FundList, StoredPrices

IDENTITY = (
    "name",
    "issuer",
    "asset_class",
    "sector",
    "geography",
    "investment_style",
    "exchange",
    "currency",
    "inception_date",
)
FIGURES = ("expense_ratio", "assets_under_management", "category", "benchmark_index")


def fund_data(fund: Fund) -> dict[str, object]:
    """A fund with its facts on a day; amounts and ratios as exact decimals in text."""
    info, facts = fund.info, fund.facts
    stated = _stated(facts)
    life = fund.life
    return {
        "symbol": info.symbol,
        "name": info.name,
        "issuer": info.issuer,
        "expense_ratio": _text(facts.expense_ratio and facts.expense_ratio.value),
        "assets_under_management": _text(
            facts.assets_under_management and facts.assets_under_management.value
        ),
        "category": _text(facts.category and facts.category.value),
        "sector": info.sector,
        "geography": info.geography,
        "investment_style": info.investmentStyle,
        "asset_class": info.assetClass,
        "benchmark_index": _text(facts.benchmark_index and facts.benchmark_index.value),
        "inception_date": _day(info.inceptionDate),
        "exchange": info.exchange,
        "currency": info.currency,
        "as_of_date": _text(max((each.valid_from for each in stated.values()), default=None)),
        "date": facts.date.isoformat(),
        "status": "delisted" if life == "delisted" else "active",
        "alive": None if life == "unknown" else life == "alive",
        "delisted_date": _day(info.delistedDate),
        "last_price": _text(info.lastPrice),
        "last_price_date": _day(info.lastPriceDate),
        "valid_from": {name: each.valid_from.isoformat() for name, each in stated.items()},
        "sources": {name: each.source for name, each in stated.items()},
    }


def details_data(details: FundDetails) -> dict[str, object]:
    """A fund, every statement about it, its stored prices and its proxy."""
    prices, proxy = details.prices, details.proxy
    return {
        **fund_data(details.fund),
        "statements": [_statement_data(each) for each in details.fund.info.facts or ()],
        "prices": prices
        and {
            "first_date": prices.first.isoformat(),
            "last_date": prices.last.isoformat(),
            "sessions": prices.sessions,
            "last_close": _text(prices.last_close),
            "last_close_date": _text(prices.last_close_date),
        },
        "proxy": proxy
        and {
            "symbol": proxy.proxySymbol,
            "splice_date": proxy.spliceDate.date().isoformat(),
            "annual_fee": str(proxy.annualFee),
        },
    }


def show_list(funds: FundList) -> None:
    """Funds as a table; delisted ones are marked."""
    columns: list[tuple[str, console.Justify]] = [
        ("symbol", "left"),
        ("name", "left"),
        ("category", "left"),
        ("expenses", "right"),
        ("since", "left"),
        ("", "left"),
    ]
    rows = [
        (
            fund.info.symbol,
            fund.info.name,
            fund.facts.category.value if fund.facts.category else "-",
            _percent(fund.facts.expense_ratio.value if fund.facts.expense_ratio else None),
            str(fund.facts.expense_ratio.valid_from) if fund.facts.expense_ratio else "",
            _mark(fund),
        )
        for fund in funds.funds
    ]
    wide = len(columns) if any(row[-1] for row in rows) else len(columns) - 1
    console.show_table(None, columns[:wide], [row[:wide] for row in rows], fold="name")


def show_details(details: FundDetails) -> None:
    """A fund as names and values, and below what was stated about it, and when."""
    fund = details.fund
    data = fund_data(fund)
    stated = _stated(fund.facts)
    facts = [(name.replace("_", " "), str(data[name] or "-")) for name in IDENTITY]
    for name in FIGURES:
        since = f" (since {stated[name].valid_from})" if name in stated else ""
        value = _figure(name, stated.get(name), fund.info.currency)
        facts.append((name.replace("_", " "), f"{value}{since}"))
    facts.extend(_end(details))
    facts.append(("prices", _prices(details.prices)))
    facts.append(("proxy", _proxy(details.proxy)))
    console.show_facts(f"{fund.info.symbol} on {fund.facts.date}", facts)
    if fund.info.facts:
        console.show_line("")
        console.show_table(
            "stated",
            [("from", "left"), ("what", "left"), ("source", "left")],
            [
                (str(each.validFrom.date()), _said(each), each.source or "-")
                for each in fund.info.facts
            ],
            fold="source",
        )


def show_import(name: str, report: FundImport) -> None:
    """What an import did."""
    funds, statements = report.funds, report.statements
    would = "would be " if report.dry_run else ""
    console.show_line(
        f"{name}: {sum(funds.values()):,} funds: {funds['inserted']:,} {would}inserted, "
        f"{funds['updated']:,} updated, {funds['unchanged']:,} unchanged; "
        f"{sum(statements.values()):,} statements: {statements['inserted']:,} {would}inserted, "
        f"{statements['updated']:,} updated, {statements['unchanged']:,} unchanged"
    )
    if report.dry_run:
        console.narrate("a dry run: nothing was stored")


def _stated(facts: FundFacts) -> dict[str, Stated[Decimal] | Stated[str]]:
    every = {
        "expense_ratio": facts.expense_ratio,
        "assets_under_management": facts.assets_under_management,
        "category": facts.category,
        "benchmark_index": facts.benchmark_index,
    }
    return {name: each for name, each in every.items() if each is not None}


def _statement_data(statement: ETFFacts) -> dict[str, str | None]:
    return {
        "valid_from": statement.validFrom.date().isoformat(),
        "expense_ratio": _text(statement.expenseRatio),
        "assets_under_management": _text(statement.assetsUnderManagement),
        "category": statement.category,
        "benchmark_index": statement.benchmarkIndex,
        "status": _text(statement.status),
        "source": statement.source,
    }


def _said(statement: ETFFacts) -> str:
    parts = [
        f"expenses {_percent(statement.expenseRatio)}"
        if statement.expenseRatio is not None
        else "",
        f"assets {statement.assetsUnderManagement:,}"
        if statement.assetsUnderManagement is not None
        else "",
        statement.category or "",
        statement.benchmarkIndex or "",
        str(statement.status or ""),
    ]
    return "; ".join(part for part in parts if part)


def _end(details: FundDetails) -> Iterator[tuple[str, str]]:
    """Whether it was delisted, and what a share was worth then."""
    info, prices = details.fund.info, details.prices
    if info.delistedDate is None:
        yield "status", "active"
        return
    end = info.delistedDate.date()
    ended = details.fund.life == "delisted"
    yield "status", f"delisted {end}" if ended else f"active; delisted from {end} on"
    if info.lastPrice is not None and info.lastPriceDate is not None:
        yield "last price", f"{info.lastPrice} {info.currency} on {info.lastPriceDate.date()}"
    elif prices is not None and prices.last_close is not None:
        yield (
            "last price",
            f"not stated; the last stored close is {prices.last_close} on {prices.last_close_date}",
        )
    else:
        yield "last price", "not stated"


def _prices(prices: StoredPrices | None) -> str:
    if prices is None:
        return "none stored"
    return f"{prices.first} to {prices.last}, {prices.sessions:,} sessions"


def _proxy(proxy: ETFProxy | None) -> str:
    if proxy is None:
        return "none"
    return (
        f"{proxy.proxySymbol} before {proxy.spliceDate.date()}, less {_percent(proxy.annualFee)} "
        "a year"
    )


def _mark(fund: Fund) -> str:
    day, end = fund.info.inceptionDate, fund.info.delistedDate
    if fund.life == "delisted" and end is not None:
        return f"delisted {end.date()}"
    if fund.life == "not yet" and day is not None:
        return f"from {day.date()}"
    return f"ends {end.date()}" if end is not None else ""


def _figure(name: str, stated: Stated[Decimal] | Stated[str] | None, currency: str) -> str:
    if stated is None:
        return "-"
    value = stated.value
    if isinstance(value, str):
        return value
    return _percent(value) if name == "expense_ratio" else f"{value:,} {currency}"


def _percent(value: Decimal | None) -> str:
    return "-" if value is None else f"{value:.4%}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _day(moment: dt.datetime | None) -> str | None:
    return None if moment is None else moment.date().isoformat()
