"""Strategies of one's own: made, listed and shown with bounds, defaults and their paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.cli.conftest import RunCli

OFFERS = """
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from etf_backtest import Strategy
from etf_backtest.validated import ValidatedModel


class FirstParameters(ValidatedModel):
    share: float = Field(0.5, ge=0, le=1, description="Fraction of the first symbol.")


class First(Strategy):
    \"\"\"Hold a fraction of the first symbol.\"\"\"

    name = "first"
    looks_at_prices = False
    Parameters = FirstParameters

    def __init__(self, symbols: Sequence[str], *, share: float = 0.5) -> None:
        self.parameters = FirstParameters(share=share)
        self.symbols = tuple(symbols)
        self.rebalance = "never"

    def target_weights(self, history):
        weights = np.zeros(len(self.symbols))
        weights[0] = self.parameters.share
        return weights
"""


@pytest.fixture
def offered(user_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of somebody's own that offers a strategy, as if it were installed."""
    folder = user_home / "site"
    info = folder / "firsts-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "firsts.py").write_text(OFFERS)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: firsts\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[etf_backtest.strategies]\nfirst = firsts:First\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_create_list_and_show(cli: RunCli, user_home: Path) -> None:
    (user_home / "p.toml").write_text("look_back = 100\nskip = 5\n")
    created = cli(
        *("strategy", "create", "half-year", "--type", "momentum", "--parameters", "p.toml"),
        *("--set", "look_back=126", "--set", "top_n=2", "--description", "My own"),
    )
    assert "momentum" in created.err
    assert "look_back=126" in created.err
    shown = cli("strategy", "show", "half-year", "--json").data
    assert shown["id"] == created.out.strip()
    assert shown["type"] == "momentum"
    assert shown["description"] == "My own"
    assert shown["parameters"]["look_back"] == 126
    assert shown["parameters"]["skip"] == 5
    assert shown["parameters"]["top_n"] == 2
    field = shown["parameters_schema"]["properties"]["look_back"]
    assert (field["minimum"], field["maximum"], field["default"]) == (1, 2520, 252)
    assert "Jegadeesh" in shown["references"]

    text = cli("strategy", "show", "half-year").out
    lines = [line.strip() for line in text.splitlines()]
    place = lines.index("look_back = 126")
    assert lines[place + 1] == "Sessions whose return is ranked."
    assert lines[place + 2] == "1 to 2520; default 252"
    assert "Journal of Finance 48" in text
    parameters = text[text.index("look_back = 126") :].splitlines()
    assert max(len(line) for line in parameters) <= 100
    listed = cli("strategy", "list").out.splitlines()
    assert listed[-1].split() == ["half-year", "momentum", "you", "My", "own"]
    assert not [line for line in listed if line.endswith(" ") or line.startswith("\u2500" * 101)]


def test_the_name_of_a_type_may_be_written_as_that_of_the_system_s_strategy(cli: RunCli) -> None:
    cli("strategy", "create", "mine", "-t", "volatility-target", "--set", "target=8%")
    shown = cli("strategy", "show", "mine", "--json").data
    assert (shown["type"], shown["parameters"]["target"]) == ("volatility_target", 0.08)


def test_what_cannot_be_stored_is_one_line_and_nothing_is_stored(
    cli: RunCli, user_home: Path
) -> None:
    cli("strategy", "create", "taken", "-t", "equal-weight")
    (user_home / "p.json").write_text('{"lookback": 5}')
    for code, arguments, message in (
        (2, ["x", "-t", "momentun"], "no strategy 'momentun' -> did you mean momentum?"),
        (
            2,
            ["x", "-t", "momentum", "--set", "lookback=5"],
            "lookback: unknown key; did you mean look_back?",
        ),
        (2, ["x", "-t", "momentum", "--set", "look_back=0"], "look_back: input should be greater"),
        (2, ["x", "-t", "momentum", "--set", "look_back=1e999"], "look_back: input should be a"),
        (2, ["x", "-t", "momentum", "--set", "look_back=NaN"], "look_back: input should be a"),
        (2, ["x", "-t", "momentum", "--set", "look_back"], "expected NAME=VALUE"),
        (2, ["x", "-t", "momentum", "--set", "skip=1", "--set", "skip=2"], "skip is given twice"),
        (
            2,
            ["x", "-t", "momentum", "--parameters", "p.json"],
            "lookback: unknown key; did you mean look_back?",
        ),
        (2, ["x", "-t", "momentum", "--parameters", "q.json"], "q.json: cannot be read"),
        (1, ["taken", "-t", "momentum"], "there is a strategy 'taken' already"),
        (1, ["Fixed_weights", "-t", "buy-and-hold"], "'Fixed_weights' is a strategy of the system"),
        (1, [" ", "-t", "momentum"], "the name ' ' cannot be used"),
    ):
        ran = cli("strategy", "create", *arguments, code=code)
        (line,) = [line for line in ran.err.splitlines() if line]
        assert line.startswith("error: ")
        assert message in line
        assert ran.out == ""
    assert [s["name"] for s in cli("strategy", "list", "--json").data] == ["taken"]


@pytest.mark.usefixtures("offered")
def test_a_class_of_ones_own_is_stored_run_and_verified(
    cli: RunCli, cli_process: RunCli, user_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of 1000 in MTUM, which goes from 52.704 to 143.73; the other half stays cash."""
    created = cli_process(*("strategy", "create", "mine", "--type", "custom:first", "--json")).data
    assert (created["type"], created["implementation"]) == ("custom", "first")
    assert created["parameters"] == {"share": 0.5}
    assert created["description"] == "Hold a fraction of the first symbol."
    shown = cli_process("strategy", "show", "mine", "--json").data
    assert shown["parameters_schema"]["properties"]["share"]["maximum"] == 1
    cli_process("strategy", "create", "all", "--type", "first", "--set", "share=1")
    cli("prices", "import", "--sample")
    cli("portfolio", "create", "p", "MTUM=1", "--capital", "1000")
    run = cli_process("backtest", "run", "-p", "p", "-s", "mine", "--json").data
    expected = 500 + 500 * 143.73 / 52.704
    assert run["results"]["equity"][-1] == pytest.approx(expected, rel=1e-12)
    assert cli_process("backtest", "verify", run["id"], "--json").data["identical"] is True

    # all of it in place of the half: the first purchase is at 52.704, the last day the farthest off
    code = user_home / "site" / "firsts.py"
    code.write_text(OFFERS.replace("= self.parameters.share", "= 2 * self.parameters.share"))
    lines = cli_process("backtest", "verify", run["id"], code=1).out.splitlines()
    assert "  the decisions of first are not what they were: its code has changed" in lines
    (equity,) = [line for line in lines if line.startswith("  equity on ")]
    assert equity.endswith("that differ, the first on 2014-01-03)")
    (trade,) = [line for line in lines if line.startswith("  first of the trades that differ: ")]
    assert trade.startswith(
        f"  first of the trades that differ: purchase on 2014-01-02 of {500 / 52.704!r} MTUM"
    )

    # without the package there is a clear word, and the schema is still known
    monkeypatch.delenv("PYTHONPATH")
    for arguments in (["run", "-p", "p", "-s", "mine"], ["verify", run["id"]]):
        ran = cli("backtest", *arguments, code=2 if arguments[0] == "run" else 1)
        assert "there is no strategy 'first'" in ran.err + ran.out
    shown = cli("strategy", "show", "mine", "--json").data
    assert shown["parameters_schema"]["properties"]["share"]["maximum"] == 1
