"""Compute a stored backtest again from what is stored, and say what has changed since."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from etf_backtest.database.price_history import changes_between
from etf_backtest.database.price_store import price_state
from etf_backtest.errors import EtfBacktestError, NothingToVerifyError
from etf_backtest.services.access import is_own
from etf_backtest.services.acting import Who, acting_user
from etf_backtest.services.comparison import FIRST_PARTS, PARTS, Data, Difference, differences
from etf_backtest.services.metrics_row import metrics_row
from etf_backtest.services.rerun import RunInputs, rerun, stored_results
from etf_backtest.services.rules_file import RISK_FREE
from etf_backtest.services.stored_backtests import find_backtest
from etf_backtest.services.strategies import build_stored
from etf_backtest.simulation import CONVENTIONS_VERSION, SimulationResult
from etf_backtest.simulation.fingerprint import versions
from etf_backtest.simulation.result_data import RESULT_SCHEMA, rate_as_data
from etf_backtest.typing import JsonObject, JsonValue

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Backtest
    from etf_backtest.database.url import DatabaseUrl

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
    data_revision : int or None
        The state of prices that it was computed with; None for those of now, where the run does not
        say its own.
    revised : mapping of str to int
        How many sessions of the window have other prices now, by symbol.
    ledger : float or None
        Largest disagreement with the Decimal ledger on any day, relative to the value; None where
        it was not asked for.
    """

    backtest_id: str
    identical: bool
    changed: tuple[str, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    data_revision: int | None = None
    revised: Mapping[str, int] = field(default_factory=dict)
    ledger: float | None = None

    def to_dict(self) -> JsonObject:
        """The verification, ready for JSON."""
        return {
            "backtest_id": self.backtest_id,
            "identical": self.identical,
            "changed": list(self.changed),
            "differences": [difference.to_dict() for difference in self.differences],
            "notes": list(self.notes),
            "data_revision": self.data_revision,
            "revised": dict(self.revised),
            "ledger": self.ledger,
        }

    @property
    def good(self) -> bool:
        """Identical, and the ledger agrees as far as it was asked."""
        return self.identical and (self.ledger is None or self.ledger <= LEDGER_AGREEMENT)


async def verify_backtest(
    db: Database, backtest_id: str, *, ledger: bool = False, user: Who = None
) -> Verification:
    """Compute a completed backtest again with the prices that it was computed with, and compare.

    Strategy, rules, window, benchmark and proxies are those that are stored with the result: the
    rows of portfolio and strategy may have changed since, and so may prices.

    Parameters
    ----------
    backtest_id : str
        The id, or the first characters of it.
    ledger : bool
        Let the Decimal ledger compute it, too, and compare every day.
    user : Actor or str, optional
        Who asks, and may see it: see `acting_user`.

    Raises
    ------
    NotFoundError, AmbiguousIdError
        There is no such backtest, or more than one.
    NothingToVerifyError
        It is not completed.
    """
    actor = await acting_user(db, user)
    row = await find_backtest(db, backtest_id, to="see", user=actor)
    if row.results is None:
        raise NothingToVerifyError(row.id, str(row.status))
    stored = stored_results(row)
    inputs = RunInputs.of(row)
    notes = [*_unverifiable(row, stored)]
    if is_own(row, actor):  # what became of others' portfolios and strategies is theirs
        notes += [note async for note in _rows_edited(db, row, stored)]
    engine = list(_engine_changed(row, stored))
    revised = await revised_since(db.url, inputs)
    notes += _revised_notes(row, revised)
    try:
        again = await rerun(db.url, inputs)
        result = again.result
        agreement = again.ledger_difference() if ledger else None
    except EtfBacktestError as error:
        reason = f"it cannot be computed any more: {error}"
        return Verification(
            row.id, False, (reason, *engine), (), tuple(notes), inputs.revision, revised
        )
    changed = [*_inputs_changed(row, stored, result)]
    same_form = stored["schema"] == RESULT_SCHEMA
    now = cast("Data", result.to_dict())
    found = differences(stored, now, parts=PARTS if same_form else FIRST_PARTS)
    if same_form and not found:
        changed += _metrics_edited(row, result)
    if found and not (changed or engine):
        changed.append(
            "nothing that is stored has changed: the strategy's code or the engine has, unless "
            "somebody edited the result"
        )
    identical = same_form and not (found or changed)
    return Verification(
        row.id,
        identical,
        tuple([*changed, *engine] if not identical else ()),
        found,
        tuple(notes if not identical else [*notes, *engine]),
        inputs.revision,
        revised,
        agreement,
    )


async def revised_since(url: DatabaseUrl, inputs: RunInputs) -> dict[str, int]:
    """How many sessions of a run's window have other prices now, by symbol.

    Empty where the run does not say in which state its prices were.
    """
    if inputs.revision is None:
        return {}
    now = await price_state(url, inputs.symbols)
    touched = [name for name, each in now.symbols.items() if each.revision > inputs.revision]
    if not touched:
        return {}
    start, end = (as_day(inputs.window[name]) for name in ("start", "end"))
    counts, _ = await changes_between(
        url, touched, inputs.revision, now.number, start=start, end=end, limit=0
    )
    return counts


def as_day(date: str) -> dt.date:
    """A date of stored results."""
    return dt.date.fromisoformat(date)


def _revised_notes(row: Backtest, revised: Mapping[str, int]) -> Iterator[str]:
    if not revised:
        return
    said = ", ".join(
        f"{symbol} on {count:,} session{'s'[: count != 1]}" for symbol, count in revised.items()
    )
    yield (
        f"prices have been revised since it ran: {said} of its window; it was computed with those "
        f"of state {row.dataRevision}, and keeps them (what the others would change: etf-backtest "
        f"backtest diff {row.id[:8]})"
    )


def _unverifiable(row: Backtest, stored: Data) -> Iterator[str]:
    if row.dataRevision is None:
        yield (
            "the run was stored before states of prices were recorded: it was computed with the "
            "prices of today"
        )
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
