"""Cells that a spreadsheet would compute: text in what we write, the same again when it is read."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from etf_backtest.providers.spreadsheet import as_text, from_text
from tests.acceptance.cli.conftest import RunCli
from tests.acceptance.hostile.conftest import NAME, the_line
from tests.fixtures.cluster import Cluster

FORMULAS = [
    "=1+1",
    '=HYPERLINK("http://x/"&A1)',
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\uff1d1",
    "'=1",
    "''=1",
    "=F",
    "-X",
    "+X",
]
PLAIN = ["SPY", "-1", "+1.5", "-0.25", "", "'", "O'Neil", "a=b", "'tis", "^GSPC", "BRK.B", "1-1"]


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_formula_becomes_text_and_comes_back(cell: str) -> None:
    assert as_text(cell) == f"'{cell}"
    assert from_text(as_text(cell)) == cell
    assert from_text(as_text(as_text(cell))) == as_text(cell)


@pytest.mark.parametrize("cell", PLAIN)
def test_everything_else_is_left_alone(cell: str) -> None:
    assert as_text(cell) == cell
    assert from_text(cell) == cell


def test_symbols_that_are_formulas_go_out_and_in_again(cli: RunCli, postgres: Cluster) -> None:
    """Our own CHECK takes them from whoever writes SQL; no door of ours does."""
    postgres.execute(
        "INSERT INTO market_data (symbol, date, close, source) VALUES"
        " ('=F', '2024-01-02', 1.5, 'x'), ('-X', '2024-01-02', 2, 'x'),"
        " ('+A1', '2024-01-02', 3, 'x'), ('SPY', '2024-01-02', 5, 'x')",
        database=NAME,
    )
    for name in ("out.csv", "out.csv.gz", "out.parquet"):
        cli("prices", "export", name, "--", "=F", "-X", "+A1", "SPY")
        again = cli("prices", "import", name, "--json").data
        assert (again["inserted"], again["updated"], again["unchanged"]) == (0, 0, 4)
    with Path("out.csv").open(newline="") as file:
        assert [row["symbol"] for row in csv.DictReader(file)] == ["'+A1", "'-X", "'=F", "SPY"]


@pytest.mark.parametrize("symbol", ["=F", "-X", "+A1"])
def test_a_bare_formula_is_no_symbol_of_a_file(cli: RunCli, symbol: str) -> None:
    Path("in.csv").write_text(f"symbol,date,close\n{symbol},2024-02-02,1\n")
    said = the_line(cli("prices", "import", "in.csv", "--closes", "traded", code=1).err)
    assert "begins as a formula does: if it is a symbol, write ' before it" in said


def test_rows_that_were_refused_are_text(cli: RunCli) -> None:
    """The message quotes what stands in the file; the terminal and the spreadsheet obey none."""
    Path("in.csv").write_text(
        "symbol,date,close\n\"=cmd|' /C calc'!A0\",2024-01-02,1\n@SUM(1),2024-01-02,1\n"
        "\x1b[31mSPY,2024-01-02,1\nA\u202eB,2024-01-02,-1\nQQQ,2024-01-02,7\n"
    )
    ran = cli(
        *("prices", "import", "in.csv", "--closes", "traded", "--skip-bad"),
        *("--rejects", "bad.csv"),
    )
    for line in (ran.out + ran.err).splitlines():
        assert line.isprintable()
    text = Path("bad.csv").read_text()
    assert all(line.isprintable() for line in text.splitlines())
    with Path("bad.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["row"] for row in rows} == {"2", "3", "4", "5"}
    assert [row["value"] for row in rows[1:]] == ["'@SUM(1)", "\\x1b[31MSPY", "A\\u202eB", "-1"]
    for row in rows:
        assert not any(cell.startswith(("=", "+", "@", "\t")) for cell in row.values())
