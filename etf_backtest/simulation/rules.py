"""The rules of a run: money, time, and what to do about missing prices."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from etf_backtest.frozen_mapping import FrozenMapping
from etf_backtest.market import ForwardFill, MissingPolicy
from etf_backtest.market.rates import Rate
from etf_backtest.simulation.cash_flows import CashFlow
from etf_backtest.simulation.costs import Costs
from etf_backtest.simulation.rebalancing import AnyRebalancing
from etf_backtest.typing import JsonObject
from etf_backtest.validated import ValidatedModel

Dividends: TypeAlias = Literal["reinvest", "cash"]


_FILL = re.compile(r"ffill(?::|\(max_gap=)(?P<sessions>[0-9]{1,5})\)?")


def _as_tuple(value: object) -> object:
    """One cash flow stands for a tuple of one."""
    return (value,) if isinstance(value, CashFlow | Mapping) else value


def _missing_policy(value: object) -> object:
    """Accept a policy or its JSON form."""
    if isinstance(value, str) and (match := _FILL.fullmatch(value.strip())):
        return ForwardFill(int(match["sessions"]))
    match value:
        case "error" | "common" | ForwardFill():
            return value
        case {"max_gap": int(max_gap), **others} if not others:
            return ForwardFill(max_gap)
        case _:
            raise ValueError("expected 'error', 'common', 'ffill:N' or ForwardFill(max_gap=N)")


class Rules(ValidatedModel):
    """Rules of a run; frozen and validated. docs/conventions.md says what each does to the money.

    Raises
    ------
    InvalidParametersError
        Naming the rule, what was expected and what was received.
    """

    initial_capital: float = Field(
        10_000.0, gt=0, le=1e15, description="Invested at the first session's close, USD."
    )
    rebalance: AnyRebalancing | None = Field(
        None,
        description="When targets are decided: a period, bands, cashflow, or several; the "
        "strategy's own where not given.",
    )
    lag: int | None = Field(
        None,
        ge=0,
        le=252,
        description="Sessions from decision to fill; where not given 1 for a strategy that looks "
        "at prices, else 0.",
    )
    costs: Costs = Field(Costs(), description="What an order costs.")
    cash_flows: Annotated[tuple[CashFlow, ...], BeforeValidator(_as_tuple)] = Field(
        (), description="Contributions and withdrawals, on a schedule or on a date."
    )
    dividends: Dividends = Field(
        "reinvest",
        description="Bought at the ex-date's close, or kept as cash until the next rebalance.",
    )
    lot_size: float | None = Field(
        None, gt=0, le=1e9, description="Shares are bought and sold in multiples of this."
    )
    max_leverage: float = Field(
        1.0, ge=1, le=10, description="Highest sum of weights; above 1 the rest is borrowed."
    )
    borrow_rate: Rate | None = Field(
        None, description="What borrowed money costs a year; needed with leverage."
    )
    cash_rate: Rate = Field(
        0.0, description="What cash earns a year, a fraction or a dated series, act/365."
    )
    expense_ratios: FrozenMapping[str, Annotated[float, Field(ge=0, le=0.2)]] = Field(
        FrozenMapping(),
        description="Fees a year that are taken out of a symbol's prices: for proxy series.",
    )
    missing: Annotated[MissingPolicy, BeforeValidator(_missing_policy)] = Field(
        "error", description="What to do where a symbol has no price on a session."
    )

    def contradictions(self) -> Iterator[str]:
        """Leverage has its price."""
        if self.max_leverage > 1 and self.borrow_rate is None:
            yield "borrow_rate: expected a rate, because max_leverage is above 1"

    def to_dict(self) -> JsonObject:
        """The rules, ready for JSON; `Rules.model_validate` takes it back."""
        return self.model_dump(mode="json")
