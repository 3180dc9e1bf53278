"""One run in Decimal."""

from __future__ import annotations

from dataclasses import replace
from decimal import localcontext

from etf_backtest.market import PricePanel
from etf_backtest.market.rates import DatedRates
from etf_backtest.simulation.ledger.adviser import adviser
from etf_backtest.simulation.ledger.bookkeeper import Bookkeeper
from etf_backtest.simulation.ledger.inputs import Inputs, take_inputs
from etf_backtest.simulation.ledger.precision import CONTEXT, ZERO, Precision
from etf_backtest.simulation.ledger.result import LedgerResult
from etf_backtest.simulation.ledger.rounding import RoundingDifference
from etf_backtest.simulation.ledger.terms import Terms
from etf_backtest.simulation.preparation import check_kinds
from etf_backtest.simulation.rules import Rules
from etf_backtest.strategies import Strategy
from etf_backtest.typing import DateLike


def simulate_ledger(
    panel: PricePanel,
    strategy: Strategy,
    rules: Rules | None = None,
    *,
    benchmark: str | None = None,
    risk_free: float | DatedRates = 0.0,  # noqa: ARG001  # the arguments of `simulate`; there are no metrics here
    start: DateLike | None = None,
    end: DateLike | None = None,
    round_to_cents: bool = False,
) -> LedgerResult:
    """Run a strategy as `simulate` does, day by day in decimal.Decimal: slow, and to 34 digits.

    It shares with `simulate` the inputs (prices, strategy, rules) and no line that computes with
    them: calendar, interest, dividends, splits, orders, costs and ruin are its own. That both agree
    is the evidence that each is right.

    Parameters
    ----------
    panel, strategy, rules, start, end
        As in `simulate`.
    benchmark : str, optional
        Its prices limit the window, as in `simulate`; it is not followed.
    risk_free : float or DatedRates
        Without effect: the ledger has no metrics.
    round_to_cents : bool
        Book as a broker would: every amount that changes hands to the cent, shares to six decimals
        (or whole lots), half to even. The exact run is made, too, and the result reports the
        difference.

    Raises
    ------
    UnknownSymbolError, WindowError, MissingPricesError, NoClosesError
        The panel does not have what the run needs.
    AllocationError
        The strategy returns weights that no portfolio can have.
    RateError
        A series of rates begins after the first session.
    CostsError
        Orders would cost more than there is.
    """
    rules = Rules() if rules is None else rules
    check_kinds(panel, strategy, rules)
    with localcontext(CONTEXT):
        inputs = take_inputs(panel, strategy, rules, benchmark, start, end)
        terms = Terms.of(rules, strategy, inputs.dates)
        exact = _books(inputs, strategy, terms, Precision())
        if not round_to_cents:
            return exact
        rounded = _books(inputs, strategy, terms, Precision(cents=True))
        return replace(rounded, rounding_difference=_difference(rounded, exact))


def _books(inputs: Inputs, strategy: Strategy, terms: Terms, precision: Precision) -> LedgerResult:
    keeper = Bookkeeper(inputs, terms, adviser(strategy, inputs, terms), precision)
    keeper.keep()
    return LedgerResult(
        symbols=inputs.symbols,
        days=tuple(keeper.days),
        prices=inputs.prices[: len(keeper.days)],
        trades=tuple(keeper.trades),
        ruin_date=keeper.ruin_date,
    )


def _difference(rounded: LedgerResult, exact: LedgerResult) -> RoundingDifference:
    pairs = list(zip(rounded.days, exact.days, strict=False))
    amounts = tuple(mine.equity - its.equity for mine, its in pairs)
    fractions = tuple(
        amount / its.equity if its.equity else ZERO
        for amount, (_, its) in zip(amounts, pairs, strict=True)
    )
    return RoundingDifference(tuple(day.date for day, _ in pairs), amounts, fractions)
