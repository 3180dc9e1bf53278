"""What comes out of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from etf_backtest.errors import InvalidParametersError
from etf_backtest.market.rates import DatedRates
from etf_backtest.simulation.many.engine import EngineName
from etf_backtest.simulation.many.measures import LESS_IS_BETTER
from etf_backtest.simulation.many.portfolios import Portfolios
from etf_backtest.simulation.many.table import Curves
from etf_backtest.simulation.rules import Rules
from etf_backtest.typing import FloatArray, IndexArray

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ManyResults:
    """Metrics of many portfolios, by number, in the order in which they were given.

    Attributes
    ----------
    values : mapping of str to ndarray of shape (P,)
        The metrics by name, NaN where undefined; money in currency, all others as in Metrics.
    strategies : sequence of Strategy
        The portfolios by number; rows of weights are FixedWeights.
    rules : Rules
    benchmark : str or None
    risk_free : float or DatedRates
    engine : "numba", "numpy" or "single"
        What ran those that could be run at once; "single" where none could: one after the other,
        by `simulate`.
    warnings : tuple of str
        What has to be known to read the numbers rightly, and which portfolios it is about.
    curves : tuple of Curves
        Empty unless asked for; see `equity`.
    """

    values: Mapping[str, FloatArray]
    strategies: Portfolios
    rules: Rules
    benchmark: str | None
    risk_free: float | DatedRates
    engine: EngineName | Literal["single"]
    warnings: tuple[str, ...]
    curves: tuple[Curves, ...] = ()

    def __post_init__(self) -> None:
        for column in self.values.values():
            column.flags.writeable = False
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Unpickled arrays are read-only again."""
        values = [getattr(self, field.name) for field in fields(self)]
        return ManyResults, (dict(self.values), *values[1:])

    def __len__(self) -> int:
        return len(self.strategies)

    def __repr__(self) -> str:
        return f"ManyResults({len(self)} portfolios, {', '.join(self.values)})"

    @property
    def metrics(self) -> pd.DataFrame:
        """One row a portfolio, one column a metric; NaN where undefined."""
        return self._rows(np.arange(len(self)))

    @property
    def equity(self) -> pd.DataFrame:
        """Value at each session's close, one column a portfolio, NaN where its window has ended.

        Raises
        ------
        InvalidParametersError
            Curves were not asked for.
        """
        import pandas as pd  # late: importing it costs more than a run

        if not self.curves:
            raise InvalidParametersError(
                "ManyResults",
                ["equity: the curves were not kept; ask for them: simulate_many(..., curves=True)"],
            )
        dates = np.unique(np.concatenate([curves.dates for curves in self.curves]))
        values = np.full((dates.size, len(self)), np.nan)
        for curves in self.curves:
            rows = np.searchsorted(dates, curves.dates)
            values[np.ix_(rows, curves.numbers)] = curves.values
        index = pd.DatetimeIndex(dates.astype("datetime64[ns]"), name="date")
        return pd.DataFrame(values, index=index, columns=pd.RangeIndex(len(self), name="portfolio"))

    def best(self, metric: str, n: int = 5) -> pd.DataFrame:
        """Rows of the n best portfolios, the best first; equal ones by number.

        The highest value is the best, but of volatility, ulcer_index, tracking_error, turnover and
        costs the lowest. Portfolios whose metric is undefined are left out.

        Raises
        ------
        InvalidParametersError
            The metric was not computed, or n is no whole number.
        """
        if not isinstance(n, int | np.integer):
            raise InvalidParametersError("best", [f"n: expected a whole number, received {n!r}"])
        if not isinstance(metric, str) or metric not in self.values:
            raise InvalidParametersError(
                "best", [f"metric: there is no {metric}"], accepted=tuple(self.values)
            )
        column = self.values[metric]
        ranked = np.argsort(column if metric in LESS_IS_BETTER else -column, kind="stable")
        return self._rows(ranked[~np.isnan(column[ranked])][: max(n, 0)])

    def _rows(self, numbers: IndexArray) -> pd.DataFrame:
        import pandas as pd  # late: importing it costs more than a run

        columns = {name: column[numbers] for name, column in self.values.items()}
        return pd.DataFrame(columns, index=pd.Index(numbers, name="portfolio"))
