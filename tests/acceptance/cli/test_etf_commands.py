"""Funds on the command line: import, list on a day, show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.cli.conftest import RunCli

FUNDS = """\
symbol,valid_from,name,expense_ratio,category,inception_date,delisted_date,source
CUT,2012-10-17,Cut,0.07%,Large Blend,2004-01-22,,supplement
CUT,2024-12-31,,0.03%,,,,fact sheet
END,2015-01-02,End,0.5%,Large Value,2010-05-03,2020-10-26,letter
NEW,2024-12-31,New,,Small Blend,,,fact sheet
"""
PRICES = "symbol,date,close\nEND,2020-10-22,12.5\nEND,2020-10-23,12.34\n"


@pytest.fixture
def funds(cli: RunCli, tmp_path: Path) -> Path:
    """A file of funds, imported."""
    path = tmp_path / "funds.csv"
    path.write_text(FUNDS, encoding="utf-8")
    ran = cli("etf", "import", str(path))
    assert ran.out == (
        "funds.csv: 3 funds: 3 inserted, 0 updated, 0 unchanged; "
        "5 statements: 5 inserted, 0 updated, 0 unchanged\n"
    )
    return path


def test_import_twice_and_dry(cli: RunCli, funds: Path) -> None:
    data = cli("etf", "import", str(funds), "--json").data
    assert data["funds"] == {"inserted": 0, "updated": 0, "unchanged": 3, "left_alone": 0}
    assert data["statements"] == {"inserted": 0, "updated": 0, "unchanged": 5}
    funds.write_text(FUNDS.replace("0.03%", "0.03"), encoding="utf-8")
    ran = cli("etf", "import", str(funds), "--dry-run")
    assert "5 statements: 0 would be inserted, 1 updated, 4 unchanged" in ran.out
    assert "write 0.03% if that was meant" in ran.err
    assert "a dry run: nothing was stored" in ran.err
    assert cli("etf", "show", "CUT", "--json").data["expense_ratio"] == "0.0003"


def test_a_file_with_faults(cli: RunCli, tmp_path: Path) -> None:
    path = tmp_path / "funds.csv"
    path.write_text(FUNDS.replace("0.07%", "0.7").replace("2020-10-26", "26/10/20"), "utf-8")
    ran = cli("etf", "import", str(path), code=1)
    first, second, error = ran.err.splitlines()
    assert first.startswith("row 2, CUT: expense_ratio '0.7': expected a fraction of at most 0.1")
    assert second == "row 4, END: delisted_date '26/10/20': expected a date like 2024-12-31"
    assert error.startswith(f"error: funds.csv: {first} (and 1 more problem) -> mend the file")
    problems = cli("etf", "import", str(path), "--json", code=1).data["problems"]
    assert [(problem["row"], problem["field"]) for problem in problems] == [
        (2, "expense_ratio"),
        (4, "delisted_date"),
    ]
    assert cli("etf", "list", "--json").data == []


def test_list(cli: RunCli, funds: Path) -> None:
    out = cli("etf", "list").out
    assert "delisted 2020-10-26" in next(line for line in out.splitlines() if "END" in line)
    then = cli("etf", "list", "--alive-on", "2015-06-30", "--max-expense", "0.06%", "--json")
    assert then.data == []
    assert "1 fund is left out: inception date not known on 2015-06-30" in then.err
    now = cli("etf", "list", "--max-expense", "0.06%", "--category", "LARGE BLEND", "--json").data
    assert [fund["symbol"] for fund in now] == ["CUT"]
    ended = cli("etf", "list", "--alive-on", "2015-06-30", "--status", "delisted", "--json").data
    assert [(fund["symbol"], fund["alive"], fund["status"]) for fund in ended] == [
        ("END", True, "active")
    ]
    wrong = cli("etf", "list", "--category", "large blnd", code=2)
    assert "did you mean Large Blend" in wrong.err
    assert "was 0.2% meant?" in cli("etf", "list", "--max-expense", "0.2", code=2).err
    doubted = cli("etf", "list", "--max-expense", "0.1").err
    assert "--max-expense 0.1 is 10.0000% a year; write 0.1% if that was meant" in doubted
    assert "a year" not in cli("etf", "list", "--max-expense", "0.001").err
    assert "no fund passes" in cli("etf", "list", "--min-assets", "1e9").err


def test_show(cli: RunCli, funds: Path, tmp_path: Path) -> None:
    data = cli("etf", "show", "cut", "--on", "2020-01-01", "--json").data
    assert (data["expense_ratio"], data["valid_from"]["expense_ratio"]) == ("0.0007", "2012-10-17")
    assert data["sources"]["expense_ratio"] == "supplement"
    assert [each["valid_from"] for each in data["statements"]] == ["2012-10-17", "2024-12-31"]
    assert (data["prices"], data["proxy"]) == (None, None)
    assert "last price" not in cli("etf", "show", "CUT").out
    prices = tmp_path / "prices.csv"
    prices.write_text(PRICES, encoding="utf-8")
    cli("prices", "import", str(prices))
    out = cli("etf", "show", "END").out
    assert "delisted 2020-10-26" in out
    assert "not stated; the last stored close is 12.34 on 2020-10-23" in out
    assert "2020-10-22 to 2020-10-23, 2 sessions" in out
    assert (
        "active; delisted from 2020-10-26 on" in cli("etf", "show", "END", "--on", "2016-01-04").out
    )


def test_without_tables(cli: RunCli, empty_database: str, tmp_path: Path) -> None:
    path = tmp_path / "funds.csv"
    path.write_text(FUNDS, encoding="utf-8")
    ran = cli("etf", "import", str(path), url=empty_database, code=1)
    assert "create the tables with: etf-backtest migrate deploy" in ran.err
