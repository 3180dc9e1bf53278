"""Whether somebody's strategy is one that can be asked, before it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeGuard, get_args

import numpy as np
from pydantic import BaseModel

from etf_backtest.errors import InvalidParametersError
from etf_backtest.strategies.strategy import Rebalance, Strategy
from etf_backtest.strategies.symbols import check_symbols, shown

_MISSING = object()


def check_strategy(strategy: object, *, owner: str = "simulate") -> Strategy:
    """Demand a strategy whose attributes are what `Strategy` says they are.

    Parameters
    ----------
    strategy : object
    owner : str
        The function that it was given to, for the error about what is no strategy at all.

    Returns
    -------
    Strategy
        The same object.

    Raises
    ------
    InvalidParametersError
        It is no instance of Strategy, or an attribute is missing or of the wrong kind. All that is
        wrong is named.
    """
    if not isinstance(strategy, Strategy):
        raise InvalidParametersError(owner, [_no_strategy(strategy)])
    problems = list(_problems(strategy))
    if problems:
        raise InvalidParametersError(type(strategy).__name__, problems)
    return strategy


def _no_strategy(given: object) -> str:
    hint = "BuyAndHold({'SPY': 1.0}), for example"
    if isinstance(given, type) and issubclass(given, Strategy):
        hint = f"{given.__name__} is a class, build one of it"
    return f"strategy: expected a Strategy, received {type(given).__name__}: {hint}"


def _problems(strategy: Strategy) -> Iterator[str]:
    name = getattr(strategy, "name", _MISSING)
    if not (isinstance(name, str) and name.strip() and name.isprintable()):
        yield f"name: expected a text of one line, {_received(name)}"
    symbols = getattr(strategy, "symbols", _MISSING)
    if isinstance(symbols, tuple | list):
        try:
            check_symbols("", symbols)
        except InvalidParametersError as error:
            yield from error.problems
    else:
        yield f"symbols: expected a tuple of different symbols, {_received(symbols)}"
    if strategy.rebalance not in get_args(Rebalance):
        yield f"rebalance: expected one of {', '.join(get_args(Rebalance))}, " + _received(
            strategy.rebalance
        )
    span = strategy.history_sessions
    if span is not None and not is_count(span):
        yield f"history_sessions: expected 1 or more, or None for all, {_received(span)}"
    elif not (is_count(strategy.needed_sessions) and strategy.needed_sessions >= (span or 1)):
        yield (
            f"needed_sessions: expected {span or 1} or more, {_received(strategy.needed_sessions)}"
        )
    # typed as object: a stranger's class need not keep to the types of its base
    parameters: object = strategy.parameters
    if not isinstance(parameters, BaseModel):
        yield f"parameters: expected a ValidatedModel, {_received(parameters)}"
    allocations: object = strategy.allocations
    if not isinstance(allocations, Mapping):
        yield f"allocations: expected a mapping, {_received(allocations)}"


def is_count(value: object, *, least: int = 1) -> TypeGuard[int]:
    """Whether it is a whole number, `least` or more."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and value >= least  # type: ignore[operator]  # a number, as has been asked


def _received(value: object) -> str:
    return "received none" if value is _MISSING else f"received {shown(value)}"
