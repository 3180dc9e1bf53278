"""What every installation starts with: strategies of the system and well-known funds.

Run by `prisma db seed` (etf-backtest seed). Rows that are there already are left alone, so running
it again changes nothing and no edit of yours is overwritten. One thing is filled in where it is
missing: the schema of the parameters, in rows of the system that are older than that column.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import sys
from decimal import Decimal
from typing import NamedTuple

from etf_backtest.database.connection import Database, connect
from etf_backtest.database.models import (
    ETFInfoCreateWithoutRelationsInput,
    StrategyCreateWithoutRelationsInput,
    StrategyType,
    TableNotFoundError,
    to_json,
)
from etf_backtest.strategies import STRATEGIES

AS_OF = dt.date(2024, 12, 31)
"""The day on which what is said below about the funds was true (fees change: see each issuer)."""


class Fund(NamedTuple):
    """Facts from the issuer's prospectus and fact sheet; the expense ratio in percent a year."""

    symbol: str
    name: str
    issuer: str
    expense_percent: str
    category: str
    sector: str | None
    geography: str
    style: str | None
    asset_class: str
    tracks: str
    inception: str
    exchange: str


FUNDS = (
    Fund("SPY", "SPDR S&P 500 ETF Trust", "State Street Global Advisors", "0.0945",
         "Large Blend", None, "United States", "Blend", "Equity",
         "S&P 500 Index", "1993-01-22", "NYSE Arca"),
    Fund("QQQ", "Invesco QQQ Trust", "Invesco", "0.20",
         "Large Growth", None, "United States", "Growth", "Equity",
         "Nasdaq-100 Index", "1999-03-10", "Nasdaq"),
    Fund("VTI", "Vanguard Total Stock Market ETF", "Vanguard", "0.03",
         "Large Blend", None, "United States", "Blend", "Equity",
         "CRSP US Total Market Index", "2001-05-24", "NYSE Arca"),
    Fund("IWM", "iShares Russell 2000 ETF", "BlackRock", "0.19",
         "Small Blend", None, "United States", "Blend", "Equity",
         "Russell 2000 Index", "2000-05-22", "NYSE Arca"),
    Fund("VEA", "Vanguard FTSE Developed Markets ETF", "Vanguard", "0.06",
         "Foreign Large Blend", None, "Developed Markets ex US", "Blend", "Equity",
         "FTSE Developed All Cap ex US Index", "2007-07-20", "NYSE Arca"),
    Fund("VWO", "Vanguard FTSE Emerging Markets ETF", "Vanguard", "0.08",
         "Diversified Emerging Markets", None, "Emerging Markets", "Blend", "Equity",
         "FTSE Emerging Markets All Cap China A Inclusion Index", "2005-03-04", "NYSE Arca"),
    Fund("AGG", "iShares Core U.S. Aggregate Bond ETF", "BlackRock", "0.03",
         "Intermediate Core Bond", None, "United States", None, "Fixed Income",
         "Bloomberg US Aggregate Bond Index", "2003-09-22", "NYSE Arca"),
    Fund("TLT", "iShares 20+ Year Treasury Bond ETF", "BlackRock", "0.15",
         "Long Government", None, "United States", None, "Fixed Income",
         "ICE US Treasury 20+ Year Bond Index", "2002-07-22", "Nasdaq"),
    Fund("GLD", "SPDR Gold Shares", "State Street Global Advisors", "0.40",
         "Commodities Focused", "Precious Metals", "Global", None, "Commodity",
         "LBMA Gold Price PM", "2004-11-18", "NYSE Arca"),
    Fund("VNQ", "Vanguard Real Estate ETF", "Vanguard", "0.13",
         "Real Estate", "Real Estate", "United States", "Blend", "Equity",
         "MSCI US Investable Market Real Estate 25/50 Index", "2004-09-23", "NYSE Arca"),
    Fund("MTUM", "iShares MSCI USA Momentum Factor ETF", "BlackRock", "0.15",
         "Large Growth", None, "United States", "Momentum", "Equity",
         "MSCI USA Momentum SR Variant Index", "2013-04-16", "Cboe BZX"),
    Fund("QUAL", "iShares MSCI USA Quality Factor ETF", "BlackRock", "0.15",
         "Large Blend", None, "United States", "Quality", "Equity",
         "MSCI USA Sector Neutral Quality Index", "2013-07-16", "Cboe BZX"),
    Fund("SIZE", "iShares MSCI USA Size Factor ETF", "BlackRock", "0.15",
         "Mid-Cap Blend", None, "United States", "Size", "Equity",
         "MSCI USA Low Size Index", "2013-04-16", "NYSE Arca"),
    Fund("USMV", "iShares MSCI USA Min Vol Factor ETF", "BlackRock", "0.15",
         "Large Blend", None, "United States", "Minimum Volatility", "Equity",
         "MSCI USA Minimum Volatility (USD) Index", "2011-10-18", "Cboe BZX"),
    Fund("VLUE", "iShares MSCI USA Value Factor ETF", "BlackRock", "0.15",
         "Large Value", None, "United States", "Value", "Equity",
         "MSCI USA Enhanced Value Index", "2013-04-16", "Cboe BZX"),
)  # fmt: skip


def etf_rows() -> list[ETFInfoCreateWithoutRelationsInput]:
    """The funds as rows; assets under management change daily and are left unknown."""
    midnight = dt.time(tzinfo=dt.UTC)
    return [
        {
            "symbol": fund.symbol,
            "name": fund.name,
            "issuer": fund.issuer,
            "expenseRatio": Decimal(fund.expense_percent) / 100,
            "category": fund.category,
            "sector": fund.sector,
            "geography": fund.geography,
            "investmentStyle": fund.style,
            "assetClass": fund.asset_class,
            "benchmarkIndex": fund.tracks,
            "inceptionDate": dt.datetime.combine(dt.date.fromisoformat(fund.inception), midnight),
            "exchange": fund.exchange,
            "currency": "USD",
            "asOfDate": dt.datetime.combine(AS_OF, midnight),
        }
        for fund in FUNDS
    ]


DESCRIPTIONS = {
    "buy_and_hold": "Buy the portfolio's allocations on the first day and let them drift.",
    "fixed_weights": "Go back to the portfolio's allocations every month.",
    "equal_weight": "Hold the same fraction in each symbol of the portfolio.",
    "momentum": "Hold the symbols of the portfolio that rose most; ranked anew every month.",
    "dual_momentum": "Hold the symbols that rose most, and of those only what beat cash.",
    "moving_average": "Hold each symbol while its price is above its moving average, else cash.",
    "inverse_volatility": "Weight each symbol by the inverse of its volatility.",
    "equal_risk_contribution": "Weight symbols so that each contributes the same risk.",
    "volatility_target": "Scale the portfolio's allocations to a volatility; the rest is cash.",
    "minimum_variance": "Hold the weights with the lowest variance (extra: optimize).",
    "maximum_sharpe": "Hold the weights with the highest Sharpe ratio (extra: optimize).",
}


def strategy_rows() -> list[StrategyCreateWithoutRelationsInput]:
    """The registered strategies with their default parameters, owned by nobody."""
    return [
        {
            "name": name.replace("_", "-"),
            "type": StrategyType(name),
            "description": DESCRIPTIONS[name],
            "parameters": to_json(kind.Parameters().model_dump(mode="json")),
            "parametersSchema": to_json(kind.Parameters.model_json_schema()),
            "isSystem": True,
        }
        for name, kind in STRATEGIES.items()
    ]


FILL_IN_SCHEMA = """
UPDATE strategies SET parameters_schema = $2::jsonb
WHERE is_system AND type::text = $1 AND parameters_schema IS NULL
"""
"""For rows of the system that are older than the column; nothing is overwritten."""


async def fill_in_schemas(db: Database) -> int:
    """Give the system's strategies the schema of their parameters, where they have none."""
    return sum(
        [
            await db.execute_raw(
                FILL_IN_SCHEMA, name, json.dumps(kind.Parameters.model_json_schema())
            )
            for name, kind in STRATEGIES.items()
        ]
    )


async def main() -> None:
    """Insert what is missing and say how much it was."""
    async with connect() as db:
        strategies = await db.strategy.create_many(strategy_rows(), skip_duplicates=True)
        etfs = await db.etfinfo.create_many(etf_rows(), skip_duplicates=True)
        schemas = await fill_in_schemas(db)
    filled = f"; {schemas} strategies got the schema of their parameters" if schemas else ""
    print(f"seeded {strategies} strategies and {etfs} ETFs{filled}; what was there is unchanged")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except TableNotFoundError:
        sys.exit("the tables are missing; create them with: etf-backtest migrate deploy")
