"""Rules on the command line and in files, what is shown of a run, and its verification."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest

from tests.acceptance.cli.conftest import RunCli

PRICES = """\
symbol,date,close,dividend_amount,split_ratio
AAA,2024-01-02,100,0,1
AAA,2024-01-03,110,0,1
AAA,2024-01-04,60,2,2
AAA,2024-01-05,66,0,1
AAA,2024-01-08,66,0,1
BBB,2024-01-02,50,0,1
BBB,2024-01-03,50,0,1
BBB,2024-01-04,50,0,1
BBB,2024-01-05,55,0,1
BBB,2024-01-08,55,0,1
"""
RULES = """
dividends = "cash"
rebalance = "weekly"
[costs]
commission_bps = 100
slippage_bps = 50
"""


@pytest.fixture
def run(cli: RunCli, user_home: Path) -> RunCli:
    """The command line with prices, a portfolio and a strategy."""
    (user_home / "prices.csv").write_text(PRICES)
    (user_home / "rules.toml").write_text(RULES)
    cli("prices", "import", "prices.csv", "--closes", "traded")
    cli("portfolio", "create", "p", "AAA=0.5", "BBB=0.5", "--capital", "1000")
    cli("strategy", "create", "hold", "-t", "buy-and-hold")
    return cli


def test_a_file_and_options_over_it_are_stored_and_shown_in_words(
    run: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """x in each, 2x + 0.015 * 2x = 1000; then AAA is 1.1, two at 0.6 and 0.04 a split share."""
    monkeypatch.setenv("COLUMNS", "80")
    ran = run(
        *("backtest", "run", "-p", "p", "-s", "hold", "--rules", "rules.toml", "--json"),
        *("--rebalance", "never", "--cash-flow", "100 on 2024-01-05", "--cash-flow", "-7 annual"),
    )
    results = ran.data["results"]
    each = 1000 / 2.03
    assert results["equity"][:3] == pytest.approx(
        [1000, each * 2.1, each * (1.2 + 0.04 + 1)], rel=1e-12
    )
    assert results["cash"][2] == pytest.approx(each * 0.04, rel=1e-12)
    assert results["flows"] == {"2024-01-05": 100}
    options = ran.data["options"]
    assert options["dividends"] == "cash"
    assert options["rebalance"]["period"] == "never"
    assert options["costs"]["commission_bps"] == 100
    assert options["initial_capital"] == 1000

    shown = run("backtest", "show", ran.data["id"], "--trades")
    lines = [" ".join(line.split()) for line in shown.out.splitlines()]
    assert lines[2] == "hold is a strategy of the type buy-and-hold"
    for line in (
        "rebalanced never",
        "filled at the same close",
        "costs commission 100 bps; slippage 50 bps",
        "cash flow 100.00 on 2024-01-05",
        "cash flow -7.00 annual",
        "dividends kept as cash until the next rebalance",
        "trades 4",
        "paid in 100.00 on 1 session",
        f"gain {results['equity'][-1] - 1100:.2f}",
        f"return total return, time-weighted {results['metrics']['total_return']:.2%}",
        "money-weighted return a year undefined",
        f"fingerprint {results['fingerprint']}",
        f"2024-01-02 AAA {each / 100:.4f} 100.0000 {each:.2f} {each * 0.015:.2f}",
    ):
        assert line in lines
    assert any(line.startswith("costs paid ") for line in lines)
    assert any(line.startswith("computed with etf_backtest ") for line in lines)
    assert any(line.startswith("trading turnover a year ") for line in lines)
    said = shown.err.splitlines()
    assert any("-7.00 annual never arrives" in line for line in said)
    short = "undefined: the window has 6 days, less than a year"
    assert any(line.endswith(f"money_weighted_return is {short}") for line in said)
    # what only a benchmark would tell is kept, but nobody is warned
    assert "alpha" in results["metrics"]["undefined"]
    assert not any("alpha" in line for line in said)
    assert max(len(line) for line in shown.out.splitlines()) <= 80

    # a benchmark has a column of its own, and the ruin of a run stands in the list
    beside = run(
        *("backtest", "run", "-p", "p", "-s", "hold", "-b", "BBB"),
        *("--cash-flow", "-5000 on 2024-01-05"),
    )
    lines = [" ".join(line.split()) for line in beside.out.splitlines()]
    assert "metric value BBB" in lines
    # 1.1 and 1.2 of the halves come to 2.24 with the dividend of the split day; BBB is 55 / 50
    assert any(
        line.startswith("return total return, time-weighted") and line.endswith(" 10.00%")
        for line in lines
    )
    assert "ruined 2024-01-05" in run("backtest", "list").out

    # what is stored is a file of rules again
    Path("again.json").write_text(json.dumps(options))
    again = run("backtest", "run", "-p", "p", "-s", "hold", "--rules", "again.json", "--json").data
    assert again["results"]["fingerprint"] == results["fingerprint"]
    assert again["results"]["equity"] == results["equity"]


async def forget_state(url: str) -> None:
    """Make completed backtests those of a release that recorded no states of prices."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        "ALTER TABLE backtests DISABLE TRIGGER backtests_check_status;"
        " UPDATE backtests SET data_revision = NULL;"
        " ALTER TABLE backtests ENABLE TRIGGER backtests_check_status"
    )
    await connection.close()


def test_verify_says_identical_or_what_has_changed(
    run: RunCli, user_home: Path, database_url: str
) -> None:
    done = run("backtest", "run", "-p", "p", "-s", "hold", "--rules", "rules.toml", "--json").data
    verified = run("backtest", "verify", done["id"][:8])
    assert verified.out.splitlines()[0] == f"backtest {done['id']}: identical"
    (user_home / "prices.csv").write_text(PRICES.replace("AAA,2024-01-08,66", "AAA,2024-01-08,67"))
    run("prices", "import", "prices.csv", "--closes", "traded")
    verified = run("backtest", "verify", done["id"])
    assert verified.out.splitlines()[0] == f"backtest {done['id']}: identical"
    assert "AAA on 1 session of its window" in verified.out
    asyncio.run(forget_state(database_url))
    verified = run("backtest", "verify", done["id"], code=1)
    lines = verified.out.splitlines()
    assert lines[0] == f"backtest {done['id']}: not identical"
    assert "  prices: those of AAA are not what they were" in lines
    assert any(line.startswith("  equity on 2024-01-08: ") for line in lines)
    assert not any("nothing that is stored" in line for line in lines)
    data = run("backtest", "verify", done["id"], "--json", code=1).data
    assert data["identical"] is False
    (equity,) = [entry for entry in data["differences"] if entry["what"] == "equity"]
    assert equity["now"] > equity["stored"] == done["results"]["equity"][-1]
    assert "there is no backtest 'zzz'" in run("backtest", "verify", "zzz", code=1).err


def test_a_template_of_rules_can_be_used_as_it_is(run: RunCli, user_home: Path) -> None:
    template = run("backtest", "rules").out
    for name in ("initial_capital", "[costs]", "slippage_bps", "[[cash_flows]]", "risk_free"):
        assert f"\n# {name}" in template
    (user_home / "template.toml").write_text(template)
    done = run("backtest", "run", "-p", "p", "-s", "hold", "--rules", "template.toml", "--json")
    assert done.data["results"]["rules"]["initial_capital"] == 1000


def test_a_wrong_rule_is_one_line_with_file_and_key(run: RunCli, user_home: Path) -> None:
    (user_home / "wrong.toml").write_text("[costs]\ncomission_bps = 5\n")
    ran = run("backtest", "run", "-p", "p", "-s", "hold", "--rules", "wrong.toml", code=2)
    (line,) = ran.err.splitlines()
    assert line == (
        "error: wrong.toml: costs: comission_bps: unknown key; did you mean commission_bps?"
    )
    for arguments, said in (
        (["-b", "BBBB"], "BBBB: the benchmark has no prices -> did you mean BBB, or import its"),
        (["--max-leverage", "2"], "max_leverage is above 1 -> give one: --borrow-rate 5%"),
    ):
        code = 2 if "--max-leverage" in arguments else 1
        assert said in run("backtest", "run", "-p", "p", "-s", "hold", *arguments, code=code).err
    assert run("backtest", "list", "--json").data == []


def test_rates_from_a_file(run: RunCli, user_home: Path) -> None:
    """All cash but for nothing: 1 % until 2024-01-04, then 2 %, act/365."""
    (user_home / "rates.csv").write_text("date,rate\n2023-12-29,1e-2\n2024-01-04,0.02\n")
    run("portfolio", "create", "cash", "AAA=0.0001", "--capital", "1000")
    done = run(
        *("backtest", "run", "-p", "cash", "-s", "hold", "--cash-rate", "rates.csv"),
        *("--risk-free", "rates.csv", "--json"),
    ).data
    factors = [1 + 0.01 / 365, 1 + 0.01 / 365, 1 + 0.02 / 365, 1 + 0.02 * 3 / 365]
    cash = done["results"]["cash"]
    for before, after, factor in zip(cash[:-1], cash[1:], factors, strict=True):
        assert after / before == pytest.approx(factor, rel=1e-12)
    assert done["options"]["risk_free"] == {"2023-12-29": 0.01, "2024-01-04": 0.02}
    shown = run("backtest", "show", done["id"]).out
    assert "a series of 2 rates from 2023-12-29 on" in shown


def test_help_is_readable_in_80_columns(cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = cli("backtest", "run", "--help").out
    for panel in ("When it trades", "Money in and out", "What trading costs", "Rates a year"):
        assert f"─ {panel}" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_rows_of_a_price_file_may_come_in_any_order(run: RunCli, user_home: Path) -> None:
    """Dates are the keys of what is stored: upside down it is the same file."""
    header, *rows = PRICES.splitlines(keepends=True)
    (user_home / "upside-down.csv").write_text("".join([header, *reversed(rows)]))
    again = run("prices", "import", "upside-down.csv", "--closes", "traded")
    assert "0 inserted, 0 updated, 10 unchanged" in again.out
