"""The seed: complete, repeatable, and careful with what users changed."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest

from etf_backtest.database.connection import connect
from etf_backtest.database.models import to_json
from etf_backtest.database.prisma_cli import Output, seed
from etf_backtest.settings import Settings
from etf_backtest.strategies import STRATEGIES, build_strategy

TEN = {"SPY", "QQQ", "VTI", "IWM", "VEA", "VWO", "AGG", "TLT", "GLD", "VNQ"}
SAMPLE = {"MTUM", "QUAL", "SIZE", "USMV", "VLUE"}


async def run_seed(settings: Settings, repository: Path) -> str:
    """The real `prisma db seed`; returns what it said."""
    said: list[str] = []
    output = Output(stdout=said.append, stderr=said.append)
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()
    assert await seed(settings, url, directory=repository, output=output) == 0
    return "".join(said)


@pytest.mark.each_postgres
async def test_seed_again_changes_nothing_and_keeps_edits(
    settings: Settings, repository: Path
) -> None:
    assert "seeded 2 strategies and 15 ETFs" in await run_seed(settings, repository)
    async with connect(settings) as db:
        funds = await db.etfinfo.find_many()
        assert {fund.symbol for fund in funds} == TEN | SAMPLE
        assert all(fund.asOfDate and fund.inceptionDate for fund in funds)
        spy = next(fund for fund in funds if fund.symbol == "SPY")
        assert spy.expenseRatio == Decimal("0.000945")
        assert spy.inceptionDate is not None
        assert spy.inceptionDate.date() == dt.date(1993, 1, 22)
        for strategy in await db.strategy.find_many(where={"isSystem": True}):
            built = build_strategy(
                str(strategy.type), dict(strategy.parameters), {"MTUM": 0.5, "USMV": 0.5}
            )
            assert type(built) is STRATEGIES[str(strategy.type)]
        await db.etfinfo.update(where={"symbol": "SPY"}, data={"name": "my own words"})
        await db.strategy.update_many(
            where={"name": "momentum", "isSystem": True},
            data={"parameters": to_json({"look_back": 126})},
        )
        await db.etfinfo.delete(where={"symbol": "GLD"})
    assert "seeded 0 strategies and 1 ETFs" in await run_seed(settings, repository)
    async with connect(settings) as db:
        edited = await db.etfinfo.find_unique_or_raise(where={"symbol": "SPY"})
        assert edited.name == "my own words"
        momentum = await db.strategy.find_first_or_raise(where={"name": "momentum"})
        assert dict(momentum.parameters) == {"look_back": 126}
        assert await db.etfinfo.count() == 15
        assert await db.strategy.count() == 2


@pytest.mark.parametrize("symbol", sorted(TEN | SAMPLE))
def test_facts_are_plausible(symbol: str, repository: Path) -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("seed", repository / "prisma" / "seed.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    fund = next(fund for fund in module.FUNDS if fund.symbol == symbol)
    assert Decimal("0.02") <= Decimal(fund.expense_percent) <= Decimal("0.5")
    inception = dt.date.fromisoformat(fund.inception)
    assert dt.date(1993, 1, 1) < inception < module.AS_OF
    assert inception.weekday() < 5
