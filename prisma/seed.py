"""What every installation starts with: strategies of the system and well-known funds.

Run by `prisma db seed` (etf-backtest seed). What is there already is left alone, a fund with all
that was stated about it, so running it again changes nothing and no edit of yours is overwritten.
One thing is filled in where it is missing: the schema of the parameters, in rows of the system that
are older than that column.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from etf_backtest.database.connection import Database, connect
from etf_backtest.database.models import (
    StrategyCreateWithoutRelationsInput,
    StrategyType,
    TableNotFoundError,
    to_json,
)
from etf_backtest.providers.fund_file import read_funds
from etf_backtest.services.etf_import import import_funds
from etf_backtest.strategies import STRATEGIES

FUNDS = Path(__file__).with_name("funds.csv")
"""Facts with their dates and sources, in the form of `etf-backtest etf import` (docs/funds.md)."""

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
        funds = await import_funds(db, read_funds(FUNDS), leave_known=True)
        schemas = await fill_in_schemas(db)
    filled = f"; {schemas} strategies got the schema of their parameters" if schemas else ""
    etfs = funds.funds["inserted"]
    print(f"seeded {strategies} strategies and {etfs} ETFs{filled}; what was there is unchanged")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except TableNotFoundError:
        sys.exit("the tables are missing; create them with: etf-backtest migrate deploy")
