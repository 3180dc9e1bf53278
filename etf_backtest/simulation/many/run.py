"""Many runs at once: from a panel, portfolios and rules to their metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from etf_backtest.errors import InvalidParametersError
from etf_backtest.market import PricePanel
from etf_backtest.market.rates import DatedRates
from etf_backtest.simulation.many.engine import EngineName, engine_for
from etf_backtest.simulation.many.measures import QUICK_METRICS, checked_metrics
from etf_backtest.simulation.many.portfolios import portfolios_of
from etf_backtest.simulation.many.proportional import is_proportional, run_together
from etf_backtest.simulation.many.request import Request
from etf_backtest.simulation.many.result import ManyResults
from etf_backtest.simulation.many.singly import run_singly
from etf_backtest.simulation.many.table import Table
from etf_backtest.simulation.rules import Rules
from etf_backtest.simulation.run import check_risk_free
from etf_backtest.strategies import Strategy
from etf_backtest.typing import DateLike, FloatArray

if TYPE_CHECKING:
    import pandas as pd


def simulate_many(
    panel: PricePanel,
    strategies: Sequence[Strategy] | FloatArray | pd.DataFrame,
    rules: Rules | None = None,
    *,
    benchmark: str | None = None,
    risk_free: float | DatedRates = 0.0,
    start: DateLike | None = None,
    end: DateLike | None = None,
    metrics: Sequence[str] | Literal["all"] = QUICK_METRICS,
    curves: bool = False,
) -> ManyResults:
    """Run many portfolios over the same sessions, with the answers of `simulate` for each.

    Where costs are in proportion to the notional and there are no lots, flows, bands or dividends
    as cash, all that do not borrow are run at once, with numba if the extra `fast` is installed;
    else one after the other. Answers differ from those of `simulate` by the rounding of sums, about
    1e-13.

    Parameters
    ----------
    panel : PricePanel
        As in `simulate`.
    strategies : sequence of Strategy, ndarray of shape (P, N), or DataFrame
        Or fixed weights, fractions of the value: a row a portfolio, a column for each symbol of the
        panel in its order (of a frame: its columns). They are gone back to each month, unless the
        rules say otherwise.
    rules, benchmark, risk_free, start, end
        As in `simulate`.
    metrics : sequence of str, or "all"
        Names of METRIC_NAMES, `final_value` and `costs` (currency). The default ones need no
        curves; others take about as long as in `simulate`.
    curves : bool
        Whether to keep the value on each session: P * T * 8 bytes.

    Returns
    -------
    ManyResults

    Raises
    ------
    InvalidParametersError
        No portfolios, weights of another shape, an unknown metric, a risk-free rate that is none.
    AllocationError
        Weights that no portfolio can have, with the portfolio's number or the decision's date.
    EtfBacktestError
        All that `simulate` raises.
    """
    rules = Rules() if rules is None else rules
    _check_kinds(panel, rules)
    request = Request(
        panel=panel,
        rules=rules,
        benchmark=benchmark,
        risk_free=check_risk_free(risk_free),
        start=start,
        end=end,
        names=checked_metrics(metrics),
        curves=curves,
    )
    portfolios = portfolios_of(strategies, panel, rules.max_leverage)
    table = Table(len(portfolios), request.names)
    ran: EngineName | Literal["single"] = "single"
    if is_proportional(rules):
        engine, problem = engine_for(len(portfolios) * panel.dates.size)
        if run_together(request, portfolios, table, engine):
            ran = engine
        if ran == engine and problem is not None:
            table.note(problem, range(len(portfolios)))
    else:
        run_singly(request, portfolios, table, range(len(portfolios)))
    return ManyResults(
        values=table.values,
        strategies=portfolios,
        rules=rules,
        benchmark=benchmark,
        risk_free=request.risk_free,
        engine=ran,
        warnings=table.warnings(),
        curves=tuple(table.curves),
    )


def _check_kinds(panel: Any, rules: Any) -> None:
    """Tell somebody in a notebook what was exchanged for what."""
    for name, value, kind in (("panel", panel, PricePanel), ("rules", rules, Rules)):
        if not isinstance(value, kind):
            raise InvalidParametersError(
                "simulate_many",
                [f"{name}: expected {kind.__name__}, received {type(value).__name__}"],
            )
