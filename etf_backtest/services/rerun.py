"""A stored run, computed again from what is stored with it, or with some of it exchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from etf_backtest.services.comparison import Data
from etf_backtest.services.price_panel import load_prices
from etf_backtest.services.stored_run import StoredOptions
from etf_backtest.simulation import Rules, SimulationResult, simulate
from etf_backtest.simulation.ledger import simulate_ledger
from etf_backtest.simulation.proxy_share import splices_of
from etf_backtest.strategies import strategy_from_dict

if TYPE_CHECKING:
    from etf_backtest.database.models import Backtest
    from etf_backtest.database.url import DatabaseUrl
    from etf_backtest.market import PricePanel
    from etf_backtest.market.rates import DatedRates
    from etf_backtest.market.splice import Splice
    from etf_backtest.strategies import Strategy


@dataclass(frozen=True, slots=True)
class RunInputs:
    """What a run is computed from, as it is stored with it.

    Attributes
    ----------
    rules : Rules
    risk_free : float or DatedRates
    strategy : mapping
        As `strategy_from_dict` takes it, with symbols and allocations.
    benchmark : str or None
    window : mapping
        `start` and `end`, sessions.
    proxies : mapping of symbols to splices
    revision : int or None
        The state of the prices; None where an earlier release stored the run, which did not say.
    """

    rules: Rules
    risk_free: float | DatedRates
    strategy: Data
    benchmark: str | None
    window: Mapping[str, str]
    proxies: Mapping[str, Splice]
    revision: int | None

    @classmethod
    def of(cls, row: Backtest) -> RunInputs:
        """Those of a completed row."""
        options, results = StoredOptions.of(row), stored_results(row)
        return cls(
            options.rules,
            options.risk_free,
            cast("Data", results["strategy"]),
            cast("str | None", results["benchmark"]),
            cast("Mapping[str, str]", results.get("asked_window") or results["window"]),
            splices_of(cast("Sequence[Data]", results.get("proxies") or ())),
            row.dataRevision,
        )

    @property
    def symbols(self) -> tuple[str, ...]:
        """Whose stored prices it needs: those of proxies, too."""
        own = [*cast("Sequence[str]", self.strategy["symbols"])]
        own += [self.benchmark] if self.benchmark else []
        others = (proxy for each in self.proxies.values() for proxy in each.proxies)
        return tuple(dict.fromkeys([*own, *others]))


@dataclass(frozen=True, slots=True)
class Rerun:
    """A run computed again."""

    panel: PricePanel
    strategy: Strategy
    inputs: RunInputs
    result: SimulationResult

    def ledger_difference(self) -> float:
        """Largest disagreement with the Decimal ledger on any day, relative to the value."""
        books = simulate_ledger(
            self.panel,
            self.strategy,
            self.inputs.rules,
            benchmark=self.inputs.benchmark,
            start=self.inputs.window["start"],
            end=self.inputs.window["end"],
        )
        return books.difference(self.result)


async def rerun(url: DatabaseUrl, inputs: RunInputs, *, unknown_as_of: Sequence[int] = ()) -> Rerun:
    """Compute a run in the state of its prices; where that is not known, with those of now.

    Parameters
    ----------
    unknown_as_of : sequence of int
        States from which symbols are taken that the run's own does not know.

    Raises
    ------
    EtfBacktestError
        It cannot be computed.
    """
    strategy = strategy_from_dict(cast("Mapping[str, object]", inputs.strategy))
    symbols = [*strategy.symbols, *([inputs.benchmark] if inputs.benchmark else [])]
    states = None if inputs.revision is None else (inputs.revision, *unknown_as_of)
    prices = await load_prices(url, symbols, proxies=inputs.proxies, as_of=states)
    result = simulate(
        prices.panel,
        strategy,
        inputs.rules,
        benchmark=inputs.benchmark,
        risk_free=inputs.risk_free,
        start=inputs.window["start"],
        end=inputs.window["end"],
    )
    return Rerun(prices.panel, strategy, inputs, result)


def stored_results(row: Backtest) -> Data:
    """The results of a row that has some."""
    return cast("Data", row.results)
