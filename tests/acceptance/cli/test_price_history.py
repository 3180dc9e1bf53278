"""What prices were before, and what that did to results, on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.cli.conftest import RunCli

PRICES = """\
symbol,date,close,dividend_amount,split_ratio
AAA,2024-01-02,100,0,1
AAA,2024-01-03,110,0,1
AAA,2024-01-04,120,0,1
BBB,2024-01-02,50,0,1
BBB,2024-01-03,50,0,1
BBB,2024-01-04,50,0,1
"""
RESTATED = """\
symbol,date,close
AAA,2024-01-03,105
AAA,2024-01-04,132
"""


@pytest.fixture
def store(cli: RunCli, user_home: Path) -> RunCli:
    """The command line with prices that are restated after a run; revisions 1 and 2."""
    (user_home / "prices.csv").write_text(PRICES)
    (user_home / "restated.csv").write_text(RESTATED)
    cli("prices", "import", "prices.csv", "--closes", "traded")
    cli("portfolio", "create", "p", "AAA=0.5", "BBB=0.5", "--capital", "1000")
    cli("strategy", "create", "hold", "-t", "buy-and-hold")
    return cli


def run(store: RunCli, *options: str) -> str:
    ran = store("backtest", "run", "-p", "p", "-s", "hold", "--json", *options)
    return str(ran.data["id"])


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_revised_price_from_its_history_to_what_it_did(store: RunCli, user_home: Path) -> None:
    """AAA is 1.32 instead of 1.2 of what was paid: 0.5 * 0.12 = 6 % more."""
    first = run(store)
    store("prices", "import", "restated.csv", "--closes", "traded", "--source", "vendor")

    shown = lines(store("prices", "history", "aaa").out)
    assert shown[0] == "revision known at (UTC) added changed removed source provider"
    assert shown[2].split()[0] == "2"
    assert shown[2].endswith("0 2 0 vendor file")
    assert shown[3].endswith("3 0 0 prices.csv file")
    shown = lines(store("prices", "history", "AAA", "--date", "2024-01-03").out)
    assert shown[2].startswith("AAA 2024-01-03 close 110 105 2 ")
    assert shown[2].endswith(" vendor")
    data = store("prices", "history", "AAA", "--changes", "--limit", "1", "--json").data
    (change,) = data["changes"]
    assert (change["date"], change["was"], change["became"]) == (
        "2024-01-04",
        {"close": "120.0000"},
        {"close": "132.0000"},
    )

    then = store("prices", "as-of", "1", "AAA", "-o", "known.csv")
    assert lines(then.out)[2] == "AAA 3 2024-01-02 2024-01-04 120 - 1"
    assert "known.csv: 3 rows as of revision 1" in then.err
    assert ",120," in (user_home / "known.csv").read_text()
    data = store("prices", "as-of", "2", "--json").data
    assert [(each["symbol"], each["last_close"]) for each in data["symbols"]] == [
        ("AAA", "132.0000"),
        ("BBB", "50.0000"),
    ]

    verified = store("backtest", "verify", first)
    assert verified.out.splitlines()[0].endswith(": identical")
    assert "computed with prices as stored in state 1" in verified.out
    assert "AAA on 2 sessions of its window" in verified.out
    assert store("backtest", "verify", first, "--json").data["revised"] == {"AAA": 2}

    second = run(store, "--commission-bps", "100")
    told = store("backtest", "diff", first[:8], second[:8])
    shown = lines(told.out)
    assert shown[0] == f"run 1 {first[:8]} p: hold, 2024-01-02 to 2024-01-04, prices of state 1"
    assert "AAA: 2 sessions of the window" in shown
    assert any(line.startswith("AAA 2024-01-03 close 110 105 2 ") for line in shown)
    assert "costs.commission_bps: 0.0 in run 1, 100.0 in run 2" in shown
    assert "metric run 1 run 2 change prices rules together" in shown
    (total,) = (line for line in shown if line.startswith("total return"))
    assert total == "total return 10.0000% 14.8515% +4.8515% +6.0000% -1.0891% -0.0594%"
    data = store("backtest", "diff", first, "--json").data
    assert data["second"] == {
        "id": None,
        "name": "as it comes out now",
        "data_revision": 2,
        "window": {"start": "2024-01-02", "end": "2024-01-04"},
    }
    assert data["metrics"]["total_return"]["effects"] == {
        "prices": data["metrics"]["total_return"]["change"]
    }
    same = store("backtest", "diff", second)
    assert "identical: nothing differs" in same.out


def test_what_cannot_be_asked_is_told(store: RunCli) -> None:
    assert "no prices were ever stored" in store("prices", "history", "NOPE", code=1).err
    assert "no prices were stored then" in store("prices", "as-of", "1", "NOPE", code=1).err
    assert "no prices were stored then" in store("prices", "as-of", "2001-01-01").err
    assert "there is no state of prices '9'" in store("prices", "as-of", "9", code=1).err
    for moment in ("yesterday", "2024-02-31", "2024-02-31T10:00", "20240101T10", "-1"):
        assert "DATE|TIME|NUMBER" in store("prices", "as-of", "--", moment, code=2).err
    for moment in ("2024-01-31T18:00", "2024-01-31 18:00:00.5", "2024-01-31T18:00+01:00"):
        store("prices", "as-of", moment)
    assert "there is no backtest" in store("backtest", "diff", "abcdef", code=1).err
    first = run(store)
    store("prices", "as-of", "1", "-o", "known.csv")
    assert "is there already" in store("prices", "as-of", "1", "-o", "known.csv", code=1).err
    store("prices", "as-of", "1", "-o", "known.csv", "--overwrite")
    assert "it is for --output" in store("prices", "as-of", "1", "--overwrite", code=2).err
    assert store("backtest", "show", first, "--json").data["data_revision"] == 1
