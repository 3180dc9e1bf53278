"""The rules of a run as options: one line each here, and a signature that Typer reads."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeAlias

import typer

from etf_backtest.cli.rule_texts import (
    Fields,
    parse_assignment,
    parse_cash_flow,
    parse_number,
    parse_rate,
)
from etf_backtest.errors import InvalidParametersError
from etf_backtest.services.written import explained, hint, with_fractions

WHEN, MONEY = "When it trades", "Money in and out"
COSTS, RATES, PRICES = "What trading costs", "Rates a year: 0.02, 2% or a CSV file", "Prices"


class RuleOption(NamedTuple):
    """One option: which rule it sets, and what its help says."""

    rule: str
    """The field of `Rules`; a part of one after a dot."""
    flag: str
    metavar: str
    panel: str
    help: str
    repeatable: bool = False


OPTIONS = (
    RuleOption(
        "rebalance",
        "--rebalance",
        "WHEN",
        WHEN,
        "never, daily, weekly, monthly, quarterly, semiannual, annual, cashflow or "
        "'bands(absolute=0.05)'; several combine. The strategy's own by default.",
        repeatable=True,
    ),
    RuleOption(
        "rebalance.offset",
        "--rebalance-offset",
        "N",
        WHEN,
        "Sessions after the end of a period: of --rebalance, or of the strategy's own.",
    ),
    RuleOption(
        "rebalance.bands.absolute",
        "--band-absolute",
        "FRACTION",
        WHEN,
        "Rebalance when a weight is so far from its target: 0.05 or 5%. Bands replace the "
        "strategy's calendar, unless --rebalance is given, too.",
    ),
    RuleOption(
        "rebalance.bands.relative",
        "--band-relative",
        "FRACTION",
        WHEN,
        "The same as a fraction of the target: 0.25 of 0.40 is 0.10.",
    ),
    RuleOption(
        "lag",
        "--lag",
        "N",
        WHEN,
        "Sessions from decision to fill: 1 for a strategy that looks at prices, else 0.",
    ),
    RuleOption(
        "initial_capital", "--capital", "AMOUNT", MONEY, "Instead of the portfolio's capital."
    ),
    RuleOption(
        "cash_flows",
        "--cash-flow",
        "FLOW",
        MONEY,
        "'-500 monthly', '-1% annual', '1000 on 2020-03-02', '-2000 monthly inflation 2.5% from "
        "2015-01-01 to 2020-12-31 offset 2'; several add up.",
        repeatable=True,
    ),
    RuleOption(
        "dividends",
        "--dividends",
        "HOW",
        MONEY,
        "reinvest (at the ex-date's close), or cash (until the next rebalance).",
    ),
    RuleOption("lot_size", "--lot-size", "SHARES", MONEY, "Trade in multiples of so many shares."),
    RuleOption(
        "max_leverage",
        "--max-leverage",
        "SUM",
        MONEY,
        "Highest sum of weights; above 1 is borrowed.",
    ),
    RuleOption(
        "costs.commission_bps",
        "--commission-bps",
        "BPS",
        COSTS,
        "Commission, basis points of an order.",
    ),
    RuleOption(
        "costs.commission_fixed", "--commission-fixed", "AMOUNT", COSTS, "Commission of an order."
    ),
    RuleOption("costs.commission_min", "--commission-min", "AMOUNT", COSTS, "Lowest of an order."),
    RuleOption(
        "costs.commission_per_share",
        "--commission-per-share",
        "AMOUNT",
        COSTS,
        "Commission of a share.",
    ),
    RuleOption(
        "costs.slippage_bps",
        "--slippage-bps",
        "BPS",
        COSTS,
        "A worse price than the close, basis points.",
    ),
    RuleOption("cash_rate", "--cash-rate", "RATE", RATES, "What cash earns."),
    RuleOption(
        "borrow_rate", "--borrow-rate", "RATE", RATES, "What borrowed money costs; with leverage."
    ),
    RuleOption("risk_free", "--risk-free", "RATE", RATES, "Risk-free rate of the ratios."),
    RuleOption(
        "expense_ratios",
        "--expense-ratio",
        "SYMBOL=RATE",
        PRICES,
        "A fee a year, taken out of a symbol's prices: SPY=0.0945%. For proxy series.",
        repeatable=True,
    ),
    RuleOption(
        "missing", "--missing", "POLICY", PRICES, "Where one is missing: error, common or ffill:N."
    ),
)

Given: TypeAlias = Mapping[str, str | Sequence[str] | None]
"""What was typed, by rule."""

RULES_FILE = Annotated[
    Path | None,
    typer.Option(
        "--rules", metavar="FILE", help="TOML or JSON (see backtest rules); options go before it."
    ),
]


def with_rule_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options above in place of its parameter `rules`, which gets what they say.

    Typer reads a command's signature; this writes one.
    """

    @wraps(command)
    def run(**values: Any) -> None:
        given = {option.rule: values.pop(_name(option)) for option in OPTIONS}
        command(**values, rules=given)

    own = inspect.signature(command, eval_str=True)
    kept = [parameter for name, parameter in own.parameters.items() if name != "rules"]
    run.__signature__ = own.replace(parameters=[*kept, *_parameters()])  # type: ignore[attr-defined]
    return run


def _parameters() -> Iterator[inspect.Parameter]:
    for option in OPTIONS:
        setting = typer.Option(
            option.flag, metavar=option.metavar, help=option.help, rich_help_panel=option.panel
        )
        kind = list[str] | None if option.repeatable else str | None
        yield inspect.Parameter(
            _name(option),
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[kind, setting],
        )


def _name(option: RuleOption) -> str:
    return option.flag.removeprefix("--").replace("-", "_")


OFFSET = "rebalance.offset"
LONGEST_OFFSET = 252
"""As in `Rebalancing`."""
FLAGS = {option.rule: option.flag for option in OPTIONS}


def merged(file: Mapping[str, object], given: Given) -> Fields:
    """Rules from a file with those from options laid over them, as `rules_of` takes them.

    Raises
    ------
    InvalidParametersError, RateError
        An option has a value that is not understood.
    """
    fields: Fields = dict(file)
    said = {rule: value for rule, value in given.items() if value not in (None, [])}
    rebalance = {rule: said.pop(rule) for rule in tuple(said) if rule.startswith("rebalance")}
    if file.get("rebalance") is None and rebalance.keys() == {OFFSET}:
        rebalance = {}  # of a calendar that only the strategy knows: see `lone_offset`
    if rebalance:
        fields["rebalance"] = _rebalancing(file.get("rebalance"), rebalance)
    for rule, value in said.items():
        group, _, name = rule.partition(".")
        if name:
            fields[group] = {**_table(fields.get(group)), name: value}
        elif rule == "expense_ratios":
            fields[rule] = {**_table(fields.get(rule)), **_ratios(value)}
        elif rule == "cash_flows":
            fields[rule] = [parse_cash_flow(flow) for flow in value]
        elif rule in ("cash_rate", "borrow_rate", "risk_free"):
            fields[rule] = parse_rate(str(value), FLAGS[rule])
        else:
            fields[rule] = value
    return fields


def in_options(error: InvalidParametersError, given: Given) -> InvalidParametersError:
    """The error with the option's name in place of the rule's, where an option set it."""
    group = error.owner.rpartition(": ")[2].partition("[")[0] if ": " in error.owner else ""
    problems, flags = [], set()
    for problem in error.problems:
        key, _, said = problem.partition(": ")
        name = key.partition(".")[0]
        rules = (f"{group}.{name}", f"{group}.bands.{name}", name, group)
        flag = next((FLAGS[rule] for rule in rules if given.get(rule) not in (None, [])), None)
        flags.add(flag)
        whole = flag is not None and flag == FLAGS.get(group)  # a part of a flow, say
        problems.append((flag, problem if flag is None or whole else said))
    if len(flags) == 1 and (flag := flags.pop()) is not None:
        return InvalidParametersError(flag, [said for _, said in problems])
    return InvalidParametersError(
        error.owner,
        [said if flag is None else f"{flag}: {said}" for flag, said in problems],
        accepted=error.accepted,
    )


def lone_offset(file: Mapping[str, object], given: Given) -> int | None:
    """The offset where nothing but the strategy says what it counts from.

    Raises
    ------
    InvalidParametersError
        It is no number of sessions.
    """
    offset = given.get(OFFSET)
    others = (rule for rule in given if rule.startswith("rebalance") and rule != OFFSET)
    if offset is None or file.get("rebalance") is not None or any(given[o] for o in others):
        return None
    text = str(offset)
    if not (text.isascii() and text.isdecimal() and int(text) <= LONGEST_OFFSET):
        raise InvalidParametersError(
            FLAGS[OFFSET], [f"expected 0 to {LONGEST_OFFSET} sessions, received {text!r}"]
        )
    return int(text)


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _ratios(texts: str | Sequence[str]) -> dict[str, float]:
    flag = FLAGS["expense_ratios"]
    pairs = [parse_assignment(text, flag, "SYMBOL=RATE, such as SPY=0.0945%") for text in texts]
    ratios: dict[str, float] = {}
    for symbol, rate in pairs:
        if symbol.upper() in ratios:
            raise InvalidParametersError(flag, [f"{symbol.upper()} is given twice"])
        ratios[symbol.upper()] = parse_number(rate, flag)
    return ratios


def _rebalancing(file: object, given: Mapping[str, str | Sequence[str]]) -> object:
    """When to rebalance: each part that an option names is its, the others are the file's."""
    from etf_backtest.simulation.rebalancing import Rebalancing, as_rebalancing

    def parts(value: object, where: str) -> Fields:
        try:
            read = as_rebalancing(with_fractions(value))
        except InvalidParametersError as error:
            raise explained(error, where, error.accepted) from None
        except ValueError as error:
            problem = f"{error}, received {value!r}"
            raise InvalidParametersError(where, [problem + hint(problem)]) from None
        return read.model_dump(exclude_unset=True) if isinstance(read, Rebalancing) else {}

    fields = parts(file, "rebalance")
    own = parts(given["rebalance"], "--rebalance") if "rebalance" in given else {}
    for rule, part in (
        ("rebalance.bands.absolute", "absolute"),
        ("rebalance.bands.relative", "relative"),
    ):
        if rule in given:
            bands = _table(own.get("bands"))
            if part in bands:
                raise InvalidParametersError(FLAGS[rule], ["it is given in --rebalance as well"])
            own["bands"] = {**bands, part: parse_number(str(given[rule]), FLAGS[rule])}
    if OFFSET in given:
        own["offset"] = given[OFFSET]
    return {**fields, **own}
