"""Prices on the command line: import, check, export, and the mistakes that people make."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.cli.conftest import RunCli

BARS = """symbol,date,close,dividend_amount,split_ratio
SPY,2024-01-02,472.65,0,1
SPY,2024-01-03,468.79,0,1
SPY,2024-01-05,46.775,0,1
QQQ,2024-01-02,402.59,0,1
"""


@pytest.fixture
def bars(user_home: Path) -> Path:
    path = user_home / "bars.csv"
    path.write_text(BARS)
    return path


def test_import_list_check_export_and_back(cli: RunCli, bars: Path, user_home: Path) -> None:
    ran = cli("prices", "import", "bars.csv", "--closes", "traded")
    assert ran.out == (
        "bars.csv: 4 rows of SPY, QQQ, 2024-01-02 to 2024-01-05: "
        "4 inserted, 0 updated, 0 unchanged\n"
    )
    assert [row["symbol"] for row in cli("prices", "list", "--json").data] == ["QQQ", "SPY"]

    checks = cli("prices", "check", "--json").data
    assert [check["symbol"] for check in checks] == ["QQQ", "SPY"]
    found = {(f["rule"], f["date"], f["last"]) for f in checks[1]["findings"]}
    # New York was open on 2024-01-04, and a tenth of the close looks like a split that nobody told
    assert found == {
        ("missing_sessions", "2024-01-04", None),
        ("unrecorded_split", "2024-01-05", None),
    }
    shown = cli("prices", "check", "SPY", "--strict", code=1).out
    assert "SPY      2024-01-04   missing_sessions   no price on 1 session of XNYS" in shown
    assert "1 symbol, 3 rows beside the sessions of XNYS: 2 findings" in shown

    ran = cli("prices", "export", "out.parquet")
    assert ran.out == "out.parquet: 4 rows of QQQ, SPY\n"
    again = cli("prices", "import", "out.parquet", "--json").data
    assert (again["unchanged"], again["revision"]) == (4, None)


def test_an_import_tells_that_closes_contradict_its_word(cli: RunCli, user_home: Path) -> None:
    # 2 for 1 on 2024-01-04: closes that go on at 100 are divided by it already
    (user_home / "split.csv").write_text(
        "symbol,date,close,dividend_amount,split_ratio\n"
        "SPY,2024-01-02,100,0,1\nSPY,2024-01-03,101,0,1\n"
        "SPY,2024-01-04,100.5,0,2\nSPY,2024-01-05,101,0,1\n"
    )
    ran = cli("prices", "import", "split.csv", "--closes", "traded", "--json")
    (warning,) = ran.data["warnings"]
    assert (warning["rule"], warning["date"]) == ("split_adjusted_contradicted", "2024-01-04")
    assert "warning: SPY, 2024-01-04: close 100.5 after 101 with a split of 2" in ran.err
    assert "closes are said to be as traded" in ran.err
    assert ran.err.endswith("look at it: etf-backtest prices check SPY\n")
    # nothing new: nothing to look at, and still wrong
    ran = cli("prices", "import", "split.csv", "--closes", "traded")
    assert "closes are said to be as traded" in ran.err
    assert "look at it" not in ran.err
    ran = cli("prices", "import", "split.csv", "--closes", "split-adjusted")
    assert "4 updated" in ran.out
    assert ran.err == "look at it: etf-backtest prices check SPY\n"


def test_an_import_of_many_symbols_names_none(cli: RunCli) -> None:
    ran = cli("prices", "import", "--sample")  # 5 symbols
    assert ran.err.endswith("look at it: etf-backtest prices check\n")


def test_bad_rows_are_listed_and_nothing_is_stored(cli: RunCli, bars: Path) -> None:
    bars.write_text(BARS + "QQQ,2024-01-03,-1,0,1\nQQQ,2024-01-04,1,200,0,1\n")
    ran = cli("prices", "import", "bars.csv", code=1)
    assert "bars.csv: row 6, QQQ, 2024-01-03: close -1 is not a price" in ran.err
    assert "bars.csv: row 7" in ran.err
    assert "(and 1 further problem) -> mend it and import it again, or store the good" in ran.err
    assert cli("prices", "list", "--json").data == []

    ran = cli("prices", "import", "bars.csv", "--skip-bad")
    assert "4 rows of" in ran.out
    assert "2 rows left out; see bars.csv.rejects.csv" in ran.err
    header, first, second = Path("bars.csv.rejects.csv").read_text().splitlines()
    assert header == "file,row,symbol,date,field,value,rule,message,text"
    assert "bars.csv,7," in first
    assert '"QQQ,2024-01-04,1,200,0,1"' in first
    assert "bars.csv,6,QQQ,2024-01-03,close,-1,price_range" in second
    # and never over what is there
    ran = cli("prices", "import", "bars.csv", "--skip-bad", code=2)
    assert "bars.csv.rejects.csv is there already" in " ".join(ran.err.split())


def test_a_dry_run_needs_no_database_and_stores_nothing(cli: RunCli, bars: Path) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    ran = cli("prices", "import", "bars.csv", "--dry-run", url=nowhere)
    assert "missing_sessions" in ran.out
    assert "4 rows can be stored, 0 cannot; nothing was stored" in ran.out
    bars.write_text(BARS + "QQQ,2024-01-03,-1,0,1\n")
    ran = cli("prices", "import", "bars.csv", "--dry-run", code=1, url=nowhere)
    assert "bars.csv: row 6, QQQ, 2024-01-03: close -1 is not a price" in ran.err
    assert "4 rows can be stored, 1 cannot" in ran.out
    data = json.loads(
        cli("prices", "import", "bars.csv", "--dry-run", "--json", code=1, url=nowhere).out
    )
    assert (data["rows"], data["rejected"][0]["rule"]) == (4, "price_range")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import", "bars.csv", "--rejects", "r.csv"], "it is for --skip-bad"),
        (["import", "bars.csv", "--exchange", "XLON"], "it is for --dry-run"),
        (["import", "bars.csv", "--sample"], "give files or --sample, one of the two"),
        (["import", "bars.csv", "--closes", "adjusted"], "'traded', 'split-adjusted'"),
        (["export", "out.xlsx"], "end it with .csv, .csv.gz, .parquet"),
        (["import", "bars.csv", "./bars.csv"], "bars.csv: is given twice -> give it once"),
        (["fetch", "SPY", "--from", "01/02/2024"], "2024"),
        (["fetch", "SPY", "--from", "2024-02-01", "--to", "2024-01-01"], "2024-01-01 is before"),
        (["export", "o.csv", "--from", "2024-02-01", "--to", "2024-01-01"], "2024-01-01 is before"),
    ],
)
def test_mistakes_are_told(cli: RunCli, bars: Path, arguments: list[str], said: str) -> None:
    code = 1 if {"out.xlsx", "./bars.csv"} & set(arguments) else 2
    assert said in " ".join(cli("prices", *arguments, code=code).err.split())
