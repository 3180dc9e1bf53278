"""Compute a stored backtest again from what is stored, and say what has changed since."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from etf_backtest.errors import EtfBacktestError, NothingToVerifyError
from etf_backtest.market.rates import DatedRates
from etf_backtest.services.comparison import FIRST_PARTS, PARTS, Data, Difference, differences
from etf_backtest.services.metrics_row import metrics_row
from etf_backtest.services.price_panel import load_prices
from etf_backtest.services.rules_file import RISK_FREE, rules_of
from etf_backtest.services.stored_backtests import find_backtest
from etf_backtest.services.strategies import build_stored
from etf_backtest.simulation import CONVENTIONS_VERSION, Rules, SimulationResult, simulate
from etf_backtest.simulation.fingerprint import versions
from etf_backtest.simulation.ledger import simulate_ledger
from etf_backtest.simulation.proxy_share import splices_of
from etf_backtest.simulation.result_data import RESULT_SCHEMA, rate_as_data
from etf_backtest.strategies import strategy_from_dict
from etf_backtest.typing import JsonObject, JsonValue

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Backtest
    from etf_backtest.market import PricePanel
    from etf_backtest.market.splice import Splice
    from etf_backtest.strategies import Strategy

LEDGER_AGREEMENT = 1e-9
"""Disagreement with the ledger that rounding of float64 explains; more is a bug in one of them."""
FIRST_WITH_FINGERPRINTS = 2
"""The schema of results that says with which prices and which engine they were computed."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What came out of computing a stored backtest again.

    Attributes
    ----------
    backtest_id : str
    identical : bool
        Inputs and every number are the same to the last bit.
    changed : tuple of str
        Inputs and engine that are not what they were: why numbers may differ.
    differences : tuple of Difference
        The largest of each curve, and every metric that differs.
    notes : tuple of str
        What cannot be verified, and what has changed without the run depending on it.
    ledger : float or None
        Largest disagreement with the Decimal ledger on any day, relative to the value; None where
        it was not asked for.
    """

    backtest_id: str
    identical: bool
    changed: tuple[str, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    ledger: float | None = None

    def to_dict(self) -> JsonObject:
        """The verification, ready for JSON."""
        return {
            "backtest_id": self.backtest_id,
            "identical": self.identical,
            "changed": list(self.changed),
            "differences": [difference.to_dict() for difference in self.differences],
            "notes": list(self.notes),
            "ledger": self.ledger,
        }

    @property
    def good(self) -> bool:
        """Identical, and the ledger agrees as far as it was asked."""
        return self.identical and (self.ledger is None or self.ledger <= LEDGER_AGREEMENT)


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What a run is computed from, as it is stored with it."""

    rules: Rules
    risk_free: float | DatedRates
    strategy: Data
    benchmark: str | None
    window: Mapping[str, str]
    proxies: Mapping[str, Splice]

    @classmethod
    def of(cls, row: Backtest) -> _Inputs:
        options, results = cast("Data", row.options), stored_results(row)
        rules, risk_free = rules_of(dict(options), owner="the stored options")
        return cls(
            rules,
            risk_free,
            cast("Data", results["strategy"]),
            cast("str | None", results["benchmark"]),
            cast("Mapping[str, str]", results.get("asked_window") or results["window"]),
            splices_of(cast("Sequence[Data]", results.get("proxies") or ())),
        )


@dataclass(frozen=True, slots=True)
class _Again:
    """A stored run, computed with the prices that are stored now."""

    panel: PricePanel
    strategy: Strategy
    inputs: _Inputs
    result: SimulationResult

    @classmethod
    async def of(cls, db: Database, row: Backtest) -> _Again:
        inputs = _Inputs.of(row)
        strategy = strategy_from_dict(cast("Mapping[str, object]", inputs.strategy))
        symbols = [*strategy.symbols, *([inputs.benchmark] if inputs.benchmark else [])]
        panel = (await load_prices(db.url, symbols, proxies=inputs.proxies)).panel
        result = simulate(
            panel,
            strategy,
            inputs.rules,
            benchmark=inputs.benchmark,
            risk_free=inputs.risk_free,
            start=inputs.window["start"],
            end=inputs.window["end"],
        )
        return cls(panel, strategy, inputs, result)

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


async def verify_backtest(db: Database, backtest_id: str, *, ledger: bool = False) -> Verification:
    """Compute a completed backtest again with the prices that are stored now, and compare.

    Strategy, rules, window and benchmark are those that are stored with the result: the rows of
    portfolio and strategy may have changed since.

    Parameters
    ----------
    backtest_id : str
        The id, or the first characters of it.
    ledger : bool
        Let the Decimal ledger compute it, too, and compare every day.

    Raises
    ------
    NotFoundError, AmbiguousIdError
        There is no such backtest, or more than one.
    NothingToVerifyError
        It is not completed.
    """
    row = await find_backtest(db, backtest_id)
    if row.results is None:
        raise NothingToVerifyError(row.id, str(row.status))
    stored = stored_results(row)
    notes = [*_unverifiable(stored), *[note async for note in _rows_edited(db, row, stored)]]
    engine = list(_engine_changed(row, stored))
    try:
        again = await _Again.of(db, row)
        result = again.result
        agreement = again.ledger_difference() if ledger else None
    except EtfBacktestError as error:
        reason = f"it cannot be computed any more: {error}"
        return Verification(row.id, False, (reason, *engine), (), tuple(notes))
    inputs = [*_inputs_changed(row, stored, result)]
    same_form = stored["schema"] == RESULT_SCHEMA
    now = cast("Data", result.to_dict())
    found = differences(stored, now, parts=PARTS if same_form else FIRST_PARTS)
    if same_form and not found:
        inputs += _metrics_edited(row, result)
    if found and not (inputs or engine):
        inputs.append(
            "nothing that is stored has changed: the strategy's code or the engine has, unless "
            "somebody edited the result"
        )
    identical = same_form and not (found or inputs)
    return Verification(
        row.id,
        identical,
        tuple([*inputs, *engine] if not identical else ()),
        found,
        tuple(notes if not identical else [*notes, *engine]),
        agreement,
    )


def stored_results(row: Backtest) -> Data:
    """The results of a row that has some."""
    return cast("Data", row.results)


def _unverifiable(stored: Data) -> Iterator[str]:
    if cast("int", stored["schema"]) < FIRST_WITH_FINGERPRINTS:
        yield (
            "the result was stored by an earlier release: without fingerprints of its prices and "
            "versions of its engine what has changed cannot be told, and a difference in the last "
            "digits is no sign of a change; dates, equity, cash and weights alone were compared"
        )


async def _rows_edited(db: Database, row: Backtest, stored: Data) -> AsyncIterator[str]:
    """Yield which of portfolio and strategy is not what it was when the run was made."""
    holdings = await db.portfolioholding.find_many(
        where={"portfolioId": row.portfolioId}, order={"symbol": "asc"}
    )
    assert row.strategy is not None  # noqa: S101  # included by find_backtest
    try:
        built = build_stored(row.strategy, {h.symbol: float(h.allocation) for h in holdings})
    except EtfBacktestError as error:
        yield f"portfolio and strategy do not make a run any more: {error}; this one keeps its own"
        return
    before, now = cast("Data", stored["strategy"]), built.to_dict()
    same = "the run keeps its own and does not depend on it"
    if (before["name"], before.get("parameters", {})) != (now["name"], now["parameters"]):
        yield f"the strategy {row.strategy.name!r} has been changed since: {same}"
    targets = [(data["symbols"], data.get("allocations")) for data in (before, now)]
    if targets[0] != targets[1]:
        name = row.portfolio.name if row.portfolio else row.portfolioId
        yield f"the portfolio {name!r} has been changed since: {same}"


def _engine_changed(row: Backtest, stored: Data) -> Iterator[str]:
    """Yield what is computed otherwise today, or with another version of something."""
    if row.conventionsVersion != CONVENTIONS_VERSION:
        yield (
            f"conventions: version {row.conventionsVersion} stored, {CONVENTIONS_VERSION} now "
            "(docs/conventions.md says what changed)"
        )
    before = cast("Data", stored.get("versions") or {"etf_backtest": row.engineVersion})
    now = versions()
    for name, version in before.items():
        if now.get(name) != version:
            yield f"{name}: {version} stored, {now.get(name)} now"


def _inputs_changed(row: Backtest, stored: Data, result: SimulationResult) -> Iterator[str]:
    """Yield the prices and rules that are not what they were."""
    rules = cast("Data", stored["rules"])
    now: Mapping[str, JsonValue] = {
        **result.rules.to_dict(),
        RISK_FREE: rate_as_data(result.risk_free),
    }
    before = {**rules, RISK_FREE: stored.get(RISK_FREE, 0.0)}
    edited = False
    for name, value in before.items():
        if name in now and now[name] != value and stored["schema"] == RESULT_SCHEMA:
            edited = True
            yield f"rules: {name} was {value!r} when it ran, and is {now[name]!r} in the options"
    if float(row.initialCapital) != result.rules.initial_capital:
        yield f"the row's initial capital is {row.initialCapital}, not that of its options"
    known = cast("Data", stored.get("fingerprints") or {})
    fingerprints = known.get("prices")
    if not isinstance(fingerprints, Mapping):
        return
    changed = [
        symbol
        for symbol, fingerprint in fingerprints.items()
        if result.price_fingerprints.get(symbol) != fingerprint
    ]
    if changed:
        yield f"prices: those of {', '.join(changed)} are not what they were"
    elif not edited and known.get("decisions") not in (None, result.decisions):
        yield (
            f"the decisions of {result.strategy['name']} are not what they were: "
            "its code has changed"
        )


def _metrics_edited(row: Backtest, result: SimulationResult) -> Iterator[str]:
    """Yield the columns of performance_metrics that do not say what the results say."""
    if row.metrics is None:
        yield "the row of performance_metrics is gone"
        return
    expected, _ = metrics_row(row.id, result)
    for column, value in expected.items():
        if column != "backtestId" and getattr(row.metrics, column) != value:
            yield (
                f"performance_metrics: {column} is {getattr(row.metrics, column)}, not the {value} "
                "of the results"
            )
