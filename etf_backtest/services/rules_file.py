"""Rules of a run as a file, TOML or JSON, with the names of the fields of `Rules`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias, cast

from pydantic import BaseModel

from etf_backtest.errors import EtfBacktestError, InvalidParametersError
from etf_backtest.market.rates import DatedRates, as_rate
from etf_backtest.providers.small_file import NoTextError, small_text
from etf_backtest.services.plain_data import parse_json, parse_toml
from etf_backtest.services.written import explained, hint, with_fractions
from etf_backtest.simulation import CashFlow, Costs, Rules

RISK_FREE = "risk_free"
"""Not a rule of the money, but stored and read beside them: the ratios need it."""
RATES = ("cash_rate", "borrow_rate", RISK_FREE)
ACCEPTED = (*Rules.model_fields, RISK_FREE)
NESTED = {"Costs": "costs", "Rebalancing": "rebalance", "Bands": "rebalance"}
"""Which rule a model stands for that refuses its values."""

PLACES = {
    **dict.fromkeys(Costs.model_fields, "[costs]"),
    **dict.fromkeys(("amount", "percent", "every", "inflation"), "[[cash_flows]]"),
    **dict.fromkeys(("bands", "absolute", "relative", "offset", "period"), "[rebalance]"),
}
"""Where names belong that are no rules but parts of one."""
FRACTIONS = (*RATES, "rebalance", "cash_flows", "expense_ratios")
"""Rules in which 2% may be written for 0.02."""

RuleFields: TypeAlias = dict[str, object]
"""Rules as they are written, not yet validated: what is left out is not there."""


def read_table(path: Path) -> RuleFields:
    """Names and values from a TOML or JSON file.

    Raises
    ------
    InvalidParametersError
        It cannot be read, or is neither.
    """
    parsers: Mapping[str, Callable[[str], object]] = {".toml": parse_toml, ".json": parse_json}
    parse = parsers.get(path.suffix.lower())
    if parse is None:
        raise InvalidParametersError(path.name, ["expected a file that ends with .toml or .json"])
    try:
        data = parse(small_text(path))
    except NoTextError as error:
        raise InvalidParametersError(path.name, [error.message]) from error
    except ValueError as error:
        twice = "; write [[cash_flows]], with two brackets" if "'cash_flows'" in str(error) else ""
        problem = f"cannot be understood: {error}{twice}"
        raise InvalidParametersError(path.name, [problem]) from error
    if not isinstance(data, dict):
        raise InvalidParametersError(path.name, ["expected names and values ({...})"])
    return data


def read_rules(path: Path) -> RuleFields:
    """Rules from a file; each is valid, and so are all together.

    Returns
    -------
    dict
        As written, with the names of the fields of `Rules`, and `risk_free` where it is given: what
        `rules_of` takes once options have been merged into it.

    Raises
    ------
    InvalidParametersError
        Naming the file and the key.
    """
    fields = read_table(path)
    rules_of(fields, owner=path.name)
    return fields


def rules_of(fields: RuleFields, *, owner: str = "rules") -> tuple[Rules, float | DatedRates]:
    """Validate rules as they are written: the rules, and the annual risk-free rate beside them.

    Raises
    ------
    InvalidParametersError
        In the name of `owner`, with the key of each value that is wrong.
    """
    fields = {
        key: with_fractions(value) if key in FRACTIONS else value for key, value in fields.items()
    }
    rates = {
        key: _rate(fields[key], key, owner)
        for key in RATES
        if key in fields and fields[key] is not None
    }
    risk_free = rates.pop(RISK_FREE, 0.0)
    values = {key: value for key, value in fields.items() if key != RISK_FREE} | rates
    if "missing" in values:
        values["missing"] = _missing(values["missing"], owner)
    try:
        return Rules.model_validate(values), risk_free
    except InvalidParametersError as error:
        if error.owner == "Rules":
            raise explained(error, owner, ACCEPTED, PLACES) from None
        raise explained(error, f"{owner}: {_key(fields, error)}", error.accepted) from None


def _rate(value: object, key: str, owner: str) -> float | DatedRates:
    try:
        rate = as_rate(value)
    except EtfBacktestError as error:  # before ValueError, which some of them are as well
        problem = f"{key}: {error.message}"
        raise InvalidParametersError(owner, [problem + hint(problem)]) from None
    except ValueError as error:
        problem = f"{key}: {error}, received {value!r}"
        raise InvalidParametersError(owner, [problem + hint(problem)]) from None
    return cast("float | DatedRates", rate)


def _missing(value: object, owner: str) -> object:
    """A policy for missing prices as people write it: ffill:N is {"max_gap": N}."""
    if not isinstance(value, str) or value in ("error", "common"):
        return value
    name, _, sessions = value.partition(":")
    if name == "ffill" and sessions.isascii() and sessions.isdecimal() and int(sessions) > 0:
        return {"max_gap": int(sessions)}
    raise InvalidParametersError(
        owner, [f"missing: expected error, common or ffill:N, received {value!r}"]
    )


def _key(fields: RuleFields, error: InvalidParametersError) -> str:
    """Where the value stands that a model inside the rules has refused."""
    if error.owner != "CashFlow":
        return NESTED.get(error.owner, error.owner)
    flows = fields.get("cash_flows")
    for number, flow in enumerate(flows if isinstance(flows, list | tuple) else ()):
        try:
            CashFlow.model_validate(flow)
        except InvalidParametersError:
            return f"cash_flows[{number}]"
    return "cash_flows"


EXAMPLES = {
    "initial_capital": "100_000",
    "rebalance": '["quarterly", "bands(absolute=0.05)"]',
    "lag": "1",
    "lot_size": "1",
    "borrow_rate": "0.05",
}
"""Values of rules that are not set by default."""

HEADER = """\
## Rules of a run: etf-backtest backtest run --rules FILE ...
##
## Each line that begins with "# " shows a rule's default, or an example where it is not set by
## default; take away the "# " before what you change. Options on the command line go before what
## stands here. Rates, ratios and percents are fractions: 0.02 is 2 %, and so is "2%". A rate may be
## a dated series: {2019-08-01 = 0.0214, ...}.
"""

FLOWS_AND_FEES = """\

## Contributions and withdrawals: an amount in USD or a percent of the value, below 0 goes out;
## every period or on a date; optional: offset, inflation, start, end. One block for each.
# [[cash_flows]]
# amount = -500.0
# every = "monthly"
# inflation = 0.025

## Fees a year that are taken out of a symbol's prices: for proxy series.
# [expense_ratios]
# SPY = 0.000945
"""


def rules_template() -> str:
    """A TOML file with every rule, its meaning and its default, all of it commented out."""
    plain = [name for name in ACCEPTED if name not in ("costs", "cash_flows", "expense_ratios")]
    lines = [HEADER]
    for name in plain:
        if name == RISK_FREE:
            lines += ["## Annual rate for the ratios, a fraction or a dated series."]
            lines += ["# risk_free = 0.0\n"]
        else:
            lines.extend(_template_lines(Rules, name))
    lines.extend(("## What an order costs.", "# [costs]"))
    for name in Costs.model_fields:
        lines.extend(_template_lines(Costs, name))
    return "\n".join(lines).rstrip() + "\n" + FLOWS_AND_FEES


def _template_lines(model: type[BaseModel], name: str) -> tuple[str, str]:
    field = model.model_fields[name]
    value = EXAMPLES.get(name) or json.dumps(field.default)
    return f"## {field.description}", f"# {name} = {value}\n"
