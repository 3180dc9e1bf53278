"""Why two stored runs have other numbers: the first again, with one thing of the second at a time.

The effect of a factor on a metric M is M(run 1 with that factor of run 2) - M(run 1 computed
again). The engine's is what is left when a run is computed again: (stored 2 - computed 2) -
(stored 1 - computed 1). What several factors do only together makes the sum that of the change.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, cast

from etf_backtest.database.price_history import changes_between
from etf_backtest.database.price_store import price_state
from etf_backtest.errors import EtfBacktestError, NothingToVerifyError
from etf_backtest.metrics import METRIC_NAMES
from etf_backtest.services.acting import Who, acting_user
from etf_backtest.services.attribution_result import (
    Attribution,
    MetricChange,
    RevisedPrices,
    RunSide,
)
from etf_backtest.services.rerun import Rerun, RunInputs, rerun, stored_results
from etf_backtest.services.run_differences import (
    ENGINE,
    PRICES,
    Factor,
    engines,
    input_factors,
    with_common_proxies,
    with_factor,
)
from etf_backtest.services.stored_backtests import find_backtest
from etf_backtest.services.verification import as_day

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Backtest
    from etf_backtest.database.url import DatabaseUrl

Metrics: TypeAlias = Mapping[str, float | None]

LISTED_CHANGES = 10
"""So many changes of prices are listed; the others are counted."""


async def attribute(
    db: Database, first_id: str, second_id: str | None = None, *, user: Who = None
) -> Attribution:
    """Attribute the change of each metric between two stored runs to what differs in them.

    Parameters
    ----------
    first_id, second_id : str
        Ids, or the first characters of them. Without a second the first is compared with itself as
        it would come out now: with the prices and the engine of today.
    user : Actor or str, optional
        Who asks, and may see both: see `acting_user`.

    Raises
    ------
    NotFoundError, AmbiguousIdError
        There is no such backtest, or more than one.
    NothingToVerifyError
        One is not completed.
    """
    actor = await acting_user(db, user)
    wanted = [each for each in (first_id, second_id) if each is not None]
    rows = [await find_backtest(db, each, to="see", user=actor) for each in wanted]
    for row in rows:
        if row.results is None:
            raise NothingToVerifyError(row.id, str(row.status))
    first, second = rows[0], rows[1] if second_id is not None else None
    now = (await price_state(db.url, ())).number
    inputs = _inputs_of(first, now)
    other = replace(inputs, revision=now) if second is None else _inputs_of(second, now)
    return await _Comparison(db.url, first, second, inputs, other).attribution()


def _inputs_of(row: Backtest, now: int) -> RunInputs:
    inputs = RunInputs.of(row)
    return replace(inputs, revision=now) if inputs.revision is None else inputs


@dataclass(slots=True)
class _Comparison:
    """Two runs on the way to their attribution."""

    url: DatabaseUrl
    first: Backtest
    second: Backtest | None
    inputs: RunInputs
    other: RunInputs

    async def attribution(self) -> Attribution:
        again, problem = await self._again(self.inputs, ())
        other, other_problem = await self._again(self.other, ())
        if again is not None and other is not None:
            self.inputs, self.other = with_common_proxies(again, other)
        notes = [*self._unknown_states()]
        notes += [f"run 1 cannot be computed any more: {problem}"] if problem else []
        notes += [f"run 2 cannot be computed any more: {other_problem}"] if other_problem else []
        revised = await self._revised()
        factors, reruns = [], {}
        for factor in self._factors(revised):
            found, reason = None, problem
            if again is not None:
                changed = with_factor(self.inputs, self.other, factor.name)
                found, reason = await self._again(changed, self._states(changed))
            if factor.name == PRICES and not revised.sessions and _same(found, again):
                continue  # sessions outside the window that the run does not depend on
            factors.append(replace(factor, problem=reason))
            if found is not None:
                reruns[factor.name] = _computed(found)
        stored = _stored(self.first), self._second_metrics(other)
        computed = _computed(again), _computed(other)
        if engine := self._engine(stored, computed):
            factors.append(engine)
        metrics = tuple(
            metric_change(name, stored, computed, reruns, engine=engine is not None)
            for name in METRIC_NAMES
        )
        return Attribution(
            self._side(self.first, self.inputs),
            self._side(self.second, self.other),
            tuple(factors),
            metrics,
            revised,
            tuple(notes),
        )

    async def _again(
        self, inputs: RunInputs, unknown_as_of: Sequence[int]
    ) -> tuple[Rerun | None, str | None]:
        """The run, or why it cannot be computed."""
        try:
            return await rerun(self.url, inputs, unknown_as_of=unknown_as_of), None
        except EtfBacktestError as error:
            return None, str(error)

    def _states(self, inputs: RunInputs) -> list[int]:
        """The states of the two runs that are not that of `inputs`."""
        every = (self.inputs.revision, self.other.revision)
        return [state for state in every if state is not None and state != inputs.revision]

    def _factors(self, revised: RevisedPrices) -> Iterator[Factor]:
        if said := tuple(revised.said()):
            yield Factor(PRICES, said)
        yield from input_factors(self.inputs, self.other)

    async def _revised(self) -> RevisedPrices:
        old, new = cast("int", self.inputs.revision), cast("int", self.other.revision)
        every = dict.fromkeys((*self.inputs.symbols, *self.other.symbols))
        later = (await price_state(self.url, tuple(every), as_of=max(old, new))).symbols
        symbols = [name for name, each in later.items() if each.revision > min(old, new)]
        windows = (self.inputs.window, self.other.window)
        start = as_day(min(window["start"] for window in windows))
        end = as_day(max(window["end"] for window in windows))
        anywhere, _ = await changes_between(self.url, symbols, old, new, limit=0)
        inside, changes = await changes_between(
            self.url, symbols, old, new, start=start, end=end, limit=LISTED_CHANGES
        )
        outside = {symbol: count - inside.get(symbol, 0) for symbol, count in anywhere.items()}
        return RevisedPrices(
            inside, {symbol: count for symbol, count in outside.items() if count}, changes
        )

    def _second_metrics(self, other: Rerun | None) -> Metrics:
        return _computed(other) if self.second is None else _stored(self.second)

    def _engine(
        self, stored: tuple[Metrics, Metrics], computed: tuple[Metrics, Metrics]
    ) -> Factor | None:
        """The engine as a factor, where a run does not come out as it is stored."""
        differ = [
            f"run {number} does not come out as it is stored"
            for number, (kept, now) in enumerate(zip(stored, computed, strict=True), start=1)
            if now and any(kept.get(name) != now.get(name) for name in METRIC_NAMES)
        ]
        if not differ:
            return None
        said = tuple(engines(self.first, self.second))
        unknown = "no version differs: code of a strategy, or an edited result, or prices of a "
        return Factor(ENGINE, (*differ, *(said or (f"{unknown}run whose state is not known",))))

    def _unknown_states(self) -> Iterator[str]:
        for number, row in ((1, self.first), (2, self.second)):
            if row is not None and row.dataRevision is None:
                yield (
                    f"run {number} was stored before states of prices were recorded: its prices "
                    "are taken as they are now, and what was revised since counts as engine"
                )

    def _side(self, row: Backtest | None, inputs: RunInputs) -> RunSide:
        if row is None:
            return RunSide(None, "as it comes out now", inputs.revision, inputs.window)
        return RunSide(row.id, row.name, row.dataRevision, inputs.window)


def metric_change(
    name: str,
    stored: tuple[Metrics, Metrics],
    computed: tuple[Metrics, Metrics],
    reruns: Mapping[str, Metrics],
    *,
    engine: bool,
) -> MetricChange:
    """The change of one metric, taken apart.

    Parameters
    ----------
    name : str
    stored, computed : metrics of run 1 and run 2
        As they are stored, and computed again; empty where they could not be.
    reruns : mapping of str to metrics
        Of run 1 with one factor of run 2, by the factor.
    engine : bool
        Whether the engine is one.
    """
    first, second = (metrics.get(name) for metrics in stored)
    again, other = (metrics.get(name) for metrics in computed)
    effects = {factor: _difference(found.get(name), again) for factor, found in reruns.items()}
    if engine:
        effects[ENGINE] = _difference(_difference(second, other), _difference(first, again))
    change = _difference(second, first)
    known = [effect for effect in effects.values() if effect is not None]
    together = None
    if change is not None and len(known) == len(effects):
        together = change - math.fsum(known)
    return MetricChange(name, first, second, change, effects, together)


def _difference(later: float | None, earlier: float | None) -> float | None:
    return None if later is None or earlier is None else later - earlier


def _stored(row: Backtest) -> Metrics:
    return cast("Metrics", stored_results(row).get("metrics") or {})


def _computed(run: Rerun | None) -> Metrics:
    return {} if run is None else cast("Metrics", run.result.metrics.to_dict())


def _same(run: Rerun | None, other: Rerun | None) -> bool:
    return run is not None and _computed(run) == _computed(other)
