"""The rules of a run: money, time, and what to do about missing prices."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from etf_backtest.market import ForwardFill, MissingPolicy
from etf_backtest.strategies import Rebalance
from etf_backtest.typing import JsonObject
from etf_backtest.validated import ValidatedModel


def _missing_policy(value: object) -> object:
    """Accept a policy or its JSON form."""
    match value:
        case "error" | "common" | ForwardFill():
            return value
        case {"max_gap": int(max_gap), **others} if not others:
            return ForwardFill(max_gap)
        case _:
            raise ValueError("expected 'error', 'common' or ForwardFill(max_gap=n)")


class Rules(ValidatedModel):
    """Rules of a run; frozen and validated.

    Raises
    ------
    InvalidParametersError
        Naming the rule, what was expected and what was received.
    """

    initial_capital: float = Field(
        10_000.0, gt=0, le=1e15, description="Invested at the first session's close, USD."
    )
    rebalance: Rebalance | None = Field(
        None, description="How often targets are decided; the strategy's own where not given."
    )
    lag: int | None = Field(
        None,
        ge=0,
        le=252,
        description="Sessions from decision to fill; where not given 1 for a strategy that looks "
        "at prices, else 0.",
    )
    cash_rate: float = Field(
        0.0, gt=-1, le=1, description="What cash earns a year, a fraction, accrued act/365."
    )
    missing: Annotated[MissingPolicy, BeforeValidator(_missing_policy)] = Field(
        "error", description="What to do where a symbol has no price on a session."
    )

    def to_dict(self) -> JsonObject:
        """The rules, ready for JSON; `Rules.model_validate` takes it back."""
        return self.model_dump(mode="json")
