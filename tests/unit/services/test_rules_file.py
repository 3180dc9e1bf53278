"""Rules in files: read, refused with file and key, and the template that is offered."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from etf_backtest.cli.rule_options import OPTIONS, in_options, lone_offset, merged
from etf_backtest.errors import InvalidParametersError
from etf_backtest.market import ForwardFill
from etf_backtest.market.rates import DatedRates
from etf_backtest.services.rules_file import read_rules, rules_of, rules_template
from etf_backtest.simulation import Bands, CashFlow, Costs, Rebalancing, Rules

FULL = Rules(
    initial_capital=5000,
    rebalance=("quarterly", Bands(absolute=0.05)),
    lag=2,
    costs=Costs(commission_bps=5, slippage_bps=2),
    cash_flows=(CashFlow(amount=-500, every="monthly", inflation=0.02),),
    dividends="cash",
    lot_size=1,
    max_leverage=1.5,
    borrow_rate=0.05,
    cash_rate=DatedRates.of({"2020-01-01": 0.01, "2021-01-01": 0.02}),
    expense_ratios={"SPY": 0.001},
    missing=ForwardFill(3),
)
TOML = """
initial_capital = 5000
rebalance = ["quarterly", "bands(absolute=0.05)"]
lag = 2
dividends = "cash"
lot_size = 1
max_leverage = 1.5
borrow_rate = 0.05
missing = "ffill:3"
risk_free = 0.01
[costs]
commission_bps = 5
slippage_bps = 2
[[cash_flows]]
amount = -500
every = "monthly"
inflation = 0.02
[cash_rate]
2021-01-01 = 0.02
2020-01-01 = 0.01
[expense_ratios]
SPY = 0.001
"""


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    toml, stored = tmp_path / "rules.toml", tmp_path / "rules.json"
    toml.write_text(TOML)
    assert rules_of(read_rules(toml)) == (FULL, 0.01)
    # what a row keeps in its options is a file of rules, too
    stored.write_text(json.dumps({**FULL.to_dict(), "risk_free": {"2020-01-01": 0.03}}))
    assert rules_of(read_rules(stored)) == (FULL, DatedRates.of({"2020-01-01": 0.03}))
    # percents are fractions
    percents = TOML.replace("0.05)", "5%)").replace(" 0.05\n", ' "5%"\n')
    for number, percent in (("0.02", "2%"), ("0.01", "1%"), ("0.001", "0.1%")):
        percents = percents.replace(f" {number}\n", f' "{percent}"\n')
    toml.write_text(percents)
    assert percents.count("%") == 7
    assert rules_of(read_rules(toml)) == (FULL, 0.01)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo = 1", "foo: unknown key .*rules.toml accepts initial_capital"),
        ("dividend = 1", "dividend: unknown key; did you mean dividends\\?$"),
        ("comission_bps = 1", "comission_bps: unknown key; did you mean commission_bps"),
        ("commission_bps = 1", r"commission_bps: it belongs under \[costs\]$"),
        ('amount = 1\nevery = "daily"', r"amount: it belongs under \[\[cash_flows\]\]"),
        ("[cash_flows]\namount = 1\n[cash_flows]\n", r".* write \[\[cash_flows\]\], with two"),
        ('rebalance = "yearly"', "rebalance: expected never.*'yearly'; did you mean annual"),
        ('rebalance = ["monthy"]', "rebalance: expected never.*; did you mean monthly"),
        ("[rebalance.bands]\nabsolute = 5", r"rebalance: absolute: .*\(a fraction: 5 % is 0.05\)$"),
        ("risk_free = 2.5", r"risk_free: .*\(a fraction: 2.5 % is 0.025\)"),
        ('cash_flows = [{amount="5%", every="daily"}]', r"cash_flows\[0\]: amount: input should"),
        ("[costs]\ncommission_bps = -1", "costs: commission_bps: .*or equal to 0, received -1"),
        ("[costs]\nfoo = 1", "costs: foo: unknown key .*costs accepts commission_bps"),
        ('cash_flows = [{amount=1, every="daily"}, {amount=1}]', r"cash_flows\[1\]: expected eit"),
        ('rebalance = "hourly"', "rebalance: expected never, daily"),
        ('rebalance = ["monthly", "daily"]', "rebalance: period is given twice"),
        ("rebalance = {offset = 3}", "rebalance: offset: never has no end"),
        ('rebalance = "bands(absolute=2)"', "rebalance: absolute: input should be less"),
        ("max_leverage = 2", "borrow_rate: expected a rate"),
        ("cash_rate = 3", "cash_rate: expected a fraction"),
        ('cash_rate = "much"', "cash_rate: expected a number"),
        ("[cash_rate]\nfoo = 0.1", "cash_rate: 'foo' is not a date"),
        ("risk_free = nan", "risk_free: expected a fraction"),
        ("lag = inf", "lag: input should be a finite number"),
        ("initial_capital = -1", "initial_capital: input should be greater than 0"),
        ('missing = "ffill:0"', "missing: expected error, common or ffill:N"),
        ("missing = {max_gap = 0}", "missing: max_gap must be 1 or more"),
        ("[expense_ratios]\nSPY = 5", "expense_ratios.SPY: input should be less"),
        ("x = ", "cannot be understood: "),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(InvalidParametersError, match=f"^rules.toml: {message}") as refused:
        read_rules(path)
    assert "\n" not in str(refused.value)


def test_files_that_are_no_rules(tmp_path: Path) -> None:
    for name, content, message in (
        ("rules.yaml", "lag: 1", "expected a file that ends with .toml or .json"),
        ("rules.json", "[1]", "expected names and values"),
        ("rules.json", "{", "cannot be understood: "),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(InvalidParametersError, match=f"{name}: {message}"):
            read_rules(tmp_path / name)
    with pytest.raises(InvalidParametersError, match=r"none\.toml: cannot be read: No such file"):
        read_rules(tmp_path / "none.toml")


def test_the_template_has_every_rule_and_its_default() -> None:
    template = rules_template()
    assert tomllib.loads(template) == {}
    assert all(line[:2] in ("##", "# ", "") for line in template.splitlines())
    uncommented = re.sub(r"^# ", "", template, flags=re.MULTILINE)
    fields = tomllib.loads(uncommented)
    assert fields.keys() == {*Rules.model_fields, "risk_free"}
    assert fields["costs"].keys() == Costs.model_fields.keys()
    rules, risk_free = rules_of(fields)
    assert risk_free == 0.0
    given = {"initial_capital", "rebalance", "lag", "lot_size", "borrow_rate"} | {
        "cash_flows",
        "expense_ratios",
    }
    assert rules.model_dump(exclude=given) == Rules().model_dump(exclude=given)


def test_every_rule_has_an_option() -> None:
    whole = {option.rule.partition(".")[0] for option in OPTIONS}
    assert whole == {*Rules.model_fields, "risk_free"}
    parts = {option.rule.partition(".")[2] for option in OPTIONS if option.rule.startswith("costs")}
    assert parts == Costs.model_fields.keys()


def test_options_go_before_the_file_part_by_part() -> None:
    file = tomllib.loads(TOML)
    given = {
        "rebalance": ["monthly"],
        "rebalance.offset": "2",
        "costs.slippage_bps": "1",
        "cash_flows": ["-1% annual"],
        "expense_ratios": ["qqq=0.2%"],
        "cash_rate": "3%",
        "lag": "0",
        "missing": "common",
        "dividends": None,
    }
    rules, _ = rules_of(merged(file, given))
    assert rules.rebalance == Rebalancing(period="monthly", offset=2, bands=Bands(absolute=0.05))
    assert rules.costs == Costs(commission_bps=5, slippage_bps=1)
    assert rules.cash_flows == (CashFlow(percent=-0.01, every="annual"),)
    assert rules.expense_ratios == {"SPY": 0.001, "QQQ": 0.002}
    assert (rules.cash_rate, rules.lag, rules.missing) == (0.03, 0, "common")
    assert rules.dividends == "cash"
    untouched = {"initial_capital", "lot_size", "max_leverage", "borrow_rate"}
    assert rules.model_dump(include=untouched) == FULL.model_dump(include=untouched)


def test_an_offset_alone_is_that_of_the_strategys_calendar() -> None:
    given = {"rebalance.offset": "5", "rebalance": []}
    assert lone_offset({}, given) == 5
    assert "rebalance" not in merged({}, given)
    # with a calendar of its own beside it, it is a part of that
    for file, options in (
        ({"rebalance": "monthly"}, given),
        ({}, {**given, "rebalance": ["weekly"]}),
    ):
        assert lone_offset(file, options) is None
        rules, _ = rules_of(merged(file, options))
        assert rules.rebalance is not None
        assert rules.rebalance.offset == 5
    for text in ("-1", "253", "two"):
        with pytest.raises(InvalidParametersError, match="--rebalance-offset: expected 0 to 252"):
            lone_offset({}, {"rebalance.offset": text})


def test_never_goes_before_a_period_of_the_file() -> None:
    rules, _ = rules_of(merged({"rebalance": "weekly"}, {"rebalance": ["never"]}))
    assert rules.rebalance == Rebalancing(period="never")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rebalance": ["hourly"]}, "--rebalance: expected never, daily"),
        ({"rebalance": ["yearly"]}, "--rebalance: .*'yearly'.*; did you mean annual"),
        ({"rebalance": ["bands(absolut=5%)"]}, "--rebalance: absolut: .*did you mean absolute"),
        ({"rebalance": ["monthly", "weekly"]}, "--rebalance: period is given twice"),
        (
            {"rebalance.bands.absolute": "5%", "rebalance.offset": "1"},
            "offset: never has no end",
        ),
        ({"rebalance.bands.absolute": "much"}, "--band-absolute: 'much' is not a number"),
        (
            {"rebalance": ["bands(absolute=0.1)"], "rebalance.bands.absolute": "0.1"},
            "--band-absolute: it is given in --rebalance as well",
        ),
        ({"expense_ratios": ["SPY"]}, "--expense-ratio: 'SPY': expected SYMBOL=RATE"),
        ({"expense_ratios": ["SPY=1%", "spy=1%"]}, "--expense-ratio: SPY is given twice"),
        ({"costs.commission_bps": "5%"}, "commission_bps: input should be a valid number"),
        ({"lag": ""}, "lag: input should be a valid integer"),
    ],
)
def test_options_that_are_no_rules(given: dict[str, str | list[str]], message: str) -> None:
    with pytest.raises(InvalidParametersError, match=message):
        rules_of(merged({}, given))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"initial_capital": "-1"}, "--capital: input should be greater than 0, received '-1'"),
        ({"costs.slippage_bps": "-1"}, "--slippage-bps: input should be greater than or equal"),
        ({"rebalance.bands.absolute": "5"}, "--band-absolute: .*5 % is 0.05"),
        ({"cash_rate": "2"}, "--cash-rate: expected a fraction.*2 % is 0.02"),
        ({"cash_flows": ["5 on 2020-02-30"]}, "--cash-flow: on: '2020-02-30' is not a date"),
        ({"expense_ratios": ["SPY=5"]}, "--expense-ratio: input should be .*5 % is 0.05"),
        ({"lag": "x", "lot_size": "0"}, "rules: --lag: input .*; --lot-size: input should be"),
        ({"lag": "", "max_leverage": None, "cash_flows": []}, "--lag: input"),
    ],
)
def test_a_wrong_option_is_named_and_nothing_else_is_listed(
    given: dict[str, str | list[str]], message: str
) -> None:
    with pytest.raises(InvalidParametersError) as refused:
        rules_of(merged({}, given), owner="rules")
    error = in_options(refused.value, given)
    assert re.match(message, error.message), error.message
    assert error.remedy is None
