"""From nothing to a stored backtest, as a new user types it, on the embedded PostgreSQL."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from etf_backtest.strategies import STRATEGIES
from tests.acceptance.cli.conftest import RunCli, run_command, run_here


def test_demo_from_nothing_and_again(user_home: Path) -> None:
    """6/10 in MTUM, 4/10 in USMV: 100,000 * (0.6 * 143.73/52.704 + 0.4 * 71.134/29.338)."""
    expected = 100_000 * (0.6 * 143.73 / 52.704 + 0.4 * 71.134 / 29.338)
    first = run_command("demo")
    assert f"100,000.00 -> {expected:,.2f}" in first.out
    assert "11,320 new" in first.err
    assert "adjusted closes" in first.err
    assert first.out.count("to the last bit") == 3
    agreements = re.findall(r"no day by more than\s+(\S+)\s+of the\s+value", first.out)
    assert len(agreements) == 3
    assert max(map(float, agreements)) < 1e-12
    again = run_command("demo")
    assert f"100,000.00 -> {expected:,.2f}" in again.out
    assert "(0 new)" in again.err

    rows = run_here("backtest", "list", "--json").data
    assert [row["strategy"] for row in rows] == ["momentum", "fixed-weights", "buy-and-hold"] * 2
    assert {row["status"] for row in rows} == {"completed"}
    assert run_here("db", "status", "--json").data["state"] == "ready"
    password = run_here("db", "url", "--show-password").out.split(":")[2].partition("@")[0]
    for ran in (first, again, run_here("db", "url"), run_here("db", "status")):
        assert password not in ran.out + ran.err
    run_command("db", "down")
    assert run_here("db", "status", "--json", code=1).data["state"] == "stopped"
    # the data survives, and the server comes back by itself
    assert len(run_here("backtest", "list", "--json").data) == 6


def test_seed_prices_portfolio_backtest_on_a_server_of_ones_own(
    cli: RunCli, user_home: Path
) -> None:
    assert "58 ETFs" in cli("seed").out
    assert "seeded 0 strategies and 0 ETFs" in cli("seed").out
    prices = user_home / "prices.csv"
    prices.write_text(
        "symbol,date,close,dividend_amount,split_ratio\n"
        "SPY,2024-01-02,100,0,1\nSPY,2024-01-03,110,0,1\nSPY,2024-01-04,120,1,1\n"
    )
    assert "3 inserted, 0 updated, 0 unchanged" in cli("prices", "import", str(prices)).out
    assert "0 inserted, 0 updated, 3 unchanged" in cli("prices", "import", str(prices)).out
    created = cli("portfolio", "create", "one fund", "SPY=1", "--capital", "1000")
    backtest = cli(
        *("backtest", "run", "-p", "one fund", "-s", "buy-and-hold", "--from", "2024-01-02"),
        *("--to", "2024-01-04", "--json"),
    ).data
    # 1000 * 110/100 * (120 + 1)/110
    assert backtest["results"]["equity"] == pytest.approx([1000, 1100, 1210], rel=1e-12)
    assert backtest["metrics"]["total_return"] == "0.21"
    assert backtest["metrics"]["annualized_return"] is None
    shown = cli("backtest", "show", backtest["id"][:8], "--json").data
    assert shown == backtest
    assert cli("portfolio", "show", created.out.strip(), "--json").data["name"] == "one fund"
    table = cli("backtest", "show", backtest["id"])
    assert "21.00%" in table.out
    assert "undefined" in table.out
    assert "cagr" in table.err
    assert cli("prices", "list", "--json").data[0]["symbol"] == "SPY"
    names = [s["name"] for s in cli("strategy", "list", "--json").data]
    assert len(names) == len(STRATEGIES)
    assert {"buy-and-hold", "momentum"} < set(names)
    assert len(cli("etf", "list", "--json").data) == 58
    assert len(cli("etf", "list", "--category", "Real Estate", "--json").data) == 1
    assert cli("etf", "show", "spy", "--json").data["expense_ratio"] == "0.000945"
