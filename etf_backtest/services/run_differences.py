"""In what two runs differ, and one run with something of another."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from etf_backtest.errors.wording import shortened
from etf_backtest.simulation import CONVENTIONS_VERSION
from etf_backtest.simulation.fingerprint import versions
from etf_backtest.simulation.result_data import rate_as_data
from etf_backtest.typing import JsonValue

if TYPE_CHECKING:
    from etf_backtest.database.models import Backtest
    from etf_backtest.market.splice import Splice
    from etf_backtest.services.rerun import Rerun, RunInputs

PRICES, PROXIES, STRATEGY, RULES, WINDOW, COMPARISON, ENGINE = FACTORS = (
    *("prices", "proxies", "strategy", "rules", "window", "comparison"),
    "engine",
)
"""Why two runs may have other numbers; comparison is the benchmark and the risk-free rate."""
MOST_SAID: Final = 20
_ABSENT: Final = "nothing"
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        PRICES: ("revision",),
        PROXIES: ("proxies",),
        STRATEGY: ("strategy",),
        RULES: ("rules",),
        WINDOW: ("window",),
        COMPARISON: ("benchmark", "risk_free"),
    }
)


@dataclass(frozen=True, slots=True)
class Factor:
    """One reason why two runs may have other numbers.

    Attributes
    ----------
    name : str
        One of `FACTORS`.
    said : tuple of str
        What differs, in words.
    problem : str or None
        Why its effect cannot be computed.
    """

    name: str
    said: tuple[str, ...]
    problem: str | None = None


def with_factor(first: RunInputs, second: RunInputs, factor: str) -> RunInputs:
    """The first run with one factor of the second."""
    return replace(first, **{name: getattr(second, name) for name in _FIELDS[factor]})


def input_factors(first: RunInputs, second: RunInputs) -> Iterator[Factor]:
    """Yield what differs in what two runs were asked for; not prices, which are not in it."""
    parts: tuple[tuple[str, JsonValue, JsonValue], ...] = (
        (PROXIES, _proxies(first), _proxies(second)),
        (STRATEGY, first.strategy, second.strategy),
        (RULES, first.rules.to_dict(), second.rules.to_dict()),
        (WINDOW, first.window, second.window),
        (COMPARISON, _comparison(first), _comparison(second)),
    )
    for name, one, other in parts:
        if said := tuple(differing(one, other)):
            yield Factor(name, said)


def differing(one: JsonValue, other: JsonValue) -> Iterator[str]:
    """Yield where two JSON values differ, as "costs.commission_bps: 5 in run 1, 7 in run 2"."""
    a, b = dict(_flat(one)), dict(_flat(other))
    paths = [path for path in {**a, **b} if a.get(path, _ABSENT) != b.get(path, _ABSENT)]
    for path in paths[:MOST_SAID]:
        yield f"{path}: {a.get(path, _ABSENT)} in run 1, {b.get(path, _ABSENT)} in run 2"
    if more := paths[MOST_SAID:]:
        yield f"and {len(more):,} more"


def with_common_proxies(first: Rerun, second: Rerun) -> tuple[RunInputs, RunInputs]:
    """The inputs of two runs, each with the other's proxies that cannot matter to it.

    A result names the proxies whose prices it used. Where a window begins after a splice, and the
    strategy looks at nothing before it, whether there is one makes no difference.
    """

    def completed(run: Rerun, other: Rerun) -> RunInputs:
        missing = {
            symbol: splice
            for symbol, splice in other.inputs.proxies.items()
            if symbol not in run.inputs.proxies
            and run.inputs.window["start"] >= splice.date.isoformat()
            and not run.strategy.looks_at_prices
        }
        return replace(run.inputs, proxies={**run.inputs.proxies, **missing})

    return completed(first, second), completed(second, first)


def engines(first: Backtest, second: Backtest | None) -> Iterator[str]:
    """Yield the versions that are not the same in two runs and now; without a second, and now."""
    now: Mapping[str, JsonValue] = {"conventions": CONVENTIONS_VERSION, **versions()}
    one, other = _versions(first), now if second is None else _versions(second)
    for name in {**one, **other, **now}:
        a, b, c = (known.get(name, "unknown") for known in (one, other, now))
        if a == b == c:
            continue
        middle = "" if second is None else f"{b} in run 2, "
        yield f"{name}: {a} in run 1, {middle}{c} now"


def _versions(row: Backtest) -> Mapping[str, JsonValue]:
    results = cast("Mapping[str, JsonValue]", row.results)
    stored = cast("Mapping[str, JsonValue] | None", results.get("versions"))
    return {
        "conventions": row.conventionsVersion,
        **(stored or {"etf_backtest": row.engineVersion}),
    }


def _flat(value: JsonValue, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the leaves of tables as path and text; lists are leaves."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    elif value is not None:
        text = value if isinstance(value, str) else json.dumps(value, default=dict)
        yield path, shortened(text)


def _comparison(inputs: RunInputs) -> JsonValue:
    return {"benchmark": inputs.benchmark, "risk_free": rate_as_data(inputs.risk_free)}


def _proxies(inputs: RunInputs) -> JsonValue:
    return {symbol: _splice_in_words(splice) for symbol, splice in inputs.proxies.items()}


def _splice_in_words(splice: Splice) -> str:
    return ", ".join(
        f"{link.proxy} before {link.date}"
        + (f" less {100 * link.annual_fee:.6g} % a year" if link.annual_fee else "")
        for link in splice.links()
    )
