"""Two people on one database: what one shares, the other sees, copies and cannot change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from etf_backtest.settings import Settings
from tests.acceptance.cli.conftest import RunCli, one_connection, run_here

ANN, BOB = "ann@example.org", "bob@example.org"
ANNS, BOBS = ("--user", ANN), ("--user", BOB)
PRICES = "date,symbol,adjusted_close\n" + "".join(
    f"2024-01-0{day},{symbol},{10 + day}\n" for symbol in ("AAA", "BBB") for day in (2, 3, 4, 5)
)


@pytest.fixture
def cli(database_url: str, user_home: Path) -> Iterator[RunCli]:
    """The command line, all commands of a test on one connection."""
    settings = Settings(
        database_url=SecretStr(database_url), data_dir=user_home, cache_dir=user_home / "cache"
    )
    with one_connection(settings):
        yield run_here


@pytest.fixture
def people(cli: RunCli, user_home: Path, database_url: str) -> None:
    """Ann Lee and Bob, who has said no name, and prices."""
    for email, name in ((ANN, ["--first-name", "Ann", "--last-name", "Lee"]), (BOB, [])):
        cli("user", "add", email, *name, "--no-password")
    (user_home / "prices.csv").write_text(PRICES)
    cli("prices", "import", "prices.csv", url=database_url)  # not by the client's connection
    cli("strategy", "create", "hold", "--type", "buy-and-hold", *ANNS)
    cli("portfolio", "create", "even", "AAA=50%", "BBB=50%", *ANNS)


@pytest.mark.usefixtures("people")
def test_share_a_portfolio_and_copy_it(cli: RunCli) -> None:
    (before,) = cli("portfolio", "list", "--json", *ANNS).data
    assert (before["is_public"], before["owner"]) == (False, None)
    assert cli("portfolio", "list", "--public", *BOBS).err == (
        "nobody shares a portfolio yet: etf-backtest portfolio share NAME\n"
    )
    shared = cli("portfolio", "share", "even", *ANNS)
    assert shared.err == "everybody may see even and copy it\n"
    portfolio_id = shared.out.strip()
    assert "everybody" in cli("portfolio", "list", *ANNS).out

    line = cli("portfolio", "list", "--public", *BOBS).out.splitlines()[2]
    assert line.split("   ") == [
        *(portfolio_id, "Ann Lee", "even", "AAA 50.00%, BBB 50.00%", "10,000.00 USD"),
    ]
    assert " you " in cli("portfolio", "list", "--public", *ANNS).out
    shown = cli("portfolio", "show", portfolio_id, *BOBS)
    assert "of               Ann Lee\n" in shown.out
    data = cli("portfolio", "show", portfolio_id, "--json", *BOBS).data
    assert (data["owner"], data["is_public"]) == ("Ann Lee", True)
    everything = shown.out + shown.err + str(data) + line
    assert "example.org" not in everything

    run = ("backtest", "run", "-p", portfolio_id, "-s", "hold")
    assert cli(*run, *BOBS, code=1).err == (
        "error: the portfolio 'even' is somebody else's: you may look at it, not run it -> copy it "
        f"and run the copy: etf-backtest portfolio copy {portfolio_id} --name NAME\n"
    )
    copied = cli("portfolio", "copy", portfolio_id, "--name", "of Ann", *BOBS)
    assert copied.err == "copied as of Ann: AAA 50.00%, BBB 50.00%\n"
    mine = cli("portfolio", "show", "of Ann", "--json", *BOBS).data
    assert (mine["id"], mine["owner"], mine["is_public"]) == (copied.out.strip(), None, False)
    assert mine["holdings"] == {"AAA": "0.5", "BBB": "0.5"}

    hidden = cli("portfolio", "unshare", "even", "--json", *ANNS).data
    assert hidden["is_public"] is False
    absent = "error: there is no portfolio '{}' -> see etf-backtest portfolio list\n"
    unknown = "00000000-0000-4000-8000-000000000000"
    for name in (portfolio_id, unknown):
        assert cli("portfolio", "show", name, *BOBS, code=1).err == absent.format(name)


@pytest.mark.usefixtures("people")
def test_share_a_backtest_after_its_portfolio(cli: RunCli) -> None:
    done = cli("backtest", "run", "-p", "even", "-s", "hold", "--json", *ANNS).data
    short = done["id"][:8]
    refused = cli("backtest", "share", short, *ANNS, code=1).err
    assert refused == (
        f"error: backtest {done['id']} shows what its portfolio 'even' holds, and that is private "
        "-> share the portfolio first: etf-backtest portfolio share NAME\n"
    )
    cli("portfolio", "share", "even", *ANNS)
    assert cli("backtest", "list", "--shared", *BOBS).err == (
        "nobody shares such a backtest: etf-backtest backtest share ID\n"
    )
    shared = cli("backtest", "share", short, *ANNS)
    assert shared.out.strip() == done["id"]
    assert shared.err == (
        "everybody may see even: hold: its results, the holdings of its portfolio, and its "
        "strategy with all parameters\n"
    )
    assert cli("backtest", "list", "--json", *BOBS).data == []
    (listed,) = cli("backtest", "list", "--shared", "--json", *BOBS).data
    assert (listed["id"], listed["owner"], listed["is_shared"]) == (done["id"], "Ann Lee", True)
    assert "Ann Lee" in cli("backtest", "list", "--shared", *BOBS).out
    shown = cli("backtest", "show", short, *BOBS)
    assert shown.err.startswith("shared by Ann Lee\n")
    assert f"backtest {done['id']}\n" in shown.out
    assert cli("backtest", "verify", short, "--ledger", "--json", *BOBS).data["identical"]
    assert cli("backtest", "diff", short, "--json", *BOBS).data["first"]["id"] == done["id"]

    again = cli("portfolio", "unshare", "even", *ANNS).err
    assert again == (
        "nobody else sees even any more\n"
        "1 shared backtest of it cannot be seen until you share it again\n"
    )
    assert cli("portfolio", "share", "even", *ANNS).err.endswith(
        "1 shared backtest of it can be seen as well\n"
    )
    assert cli("backtest", "unshare", short, *ANNS).err == "nobody else sees even: hold any more\n"
    assert cli("backtest", "show", short, *BOBS, code=1).err == (
        f"error: there is no backtest '{short}' -> see etf-backtest backtest list\n"
    )


@pytest.mark.usefixtures("people")
def test_delete_asks_and_says_what_goes_with_it(cli: RunCli) -> None:
    runs = [
        cli("backtest", "run", "-p", "even", "-s", "hold", "--json", *ANNS).data for _ in range(3)
    ]
    first = runs[0]["id"]
    assert cli("backtest", "delete", first[:13], *ANNS, code=2).err == (
        f"error: not confirmed: delete the backtest even: hold ({first[:8]}, completed)? -> repeat "
        "it with --yes\n"
    )
    deleted = cli("backtest", "delete", first, "--yes", "--json", *ANNS).data
    assert deleted == {"id": first, "name": "even: hold"}
    assert cli("strategy", "delete", "hold", "--yes", *ANNS, code=1).err == (
        "error: the strategy 'hold' is that of 2 backtests -> delete those first (etf-backtest "
        "backtest delete ID), or keep it\n"
    )
    assert cli("portfolio", "delete", "even", *ANNS, code=2).err == (
        "error: not confirmed: delete the portfolio even and 2 backtests of it? -> repeat it with "
        "--yes\n"
    )
    gone = cli("portfolio", "delete", "even", "--yes", *ANNS)
    assert gone.err == "deleted even and 2 backtests of it\n"
    assert cli("backtest", "list", "--json", *ANNS).data == []
    cli("portfolio", "create", "idle", "AAA=1", *ANNS)
    assert cli("portfolio", "delete", "idle", *ANNS, code=2).err == (
        "error: not confirmed: delete the portfolio idle? -> repeat it with --yes\n"
    )
    assert cli("strategy", "delete", "hold", *ANNS, code=2).err == (
        "error: not confirmed: delete the strategy hold? -> repeat it with --yes\n"
    )
    assert cli("strategy", "delete", "hold", "--yes", *ANNS).err == "deleted hold\n"


def test_a_tier_has_its_limit(cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETF_BACKTEST_LIMITS_FREE", "portfolios=1")
    cli("user", "add", BOB, "--no-password")
    cli("portfolio", "create", "one", "AAA=1", *BOBS)
    said = (
        "error: no room for more portfolios: you have 1, and the tier free allows 1 -> delete one "
        "(etf-backtest portfolio delete NAME), or ask whoever runs this installation for a higher "
        "tier\n"
    )
    for more in (["create", "two", "AAA=1"], ["copy", "one", "--name", "two"]):
        assert cli("portfolio", *more, *BOBS, code=1).err.endswith(said)
    cli("portfolio", "create", "two", "AAA=1")  # the local user's
    cli("portfolio", "create", "three", "AAA=1")
