"""What came of comparing two runs: values, ready for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etf_backtest.services.run_differences import Factor
from etf_backtest.typing import JsonObject

if TYPE_CHECKING:
    from etf_backtest.database.price_history import Change


@dataclass(frozen=True, slots=True)
class MetricChange:
    """What became of a metric, and why.

    Attributes
    ----------
    name : str
    first, second : float or None
        As they are stored; None where undefined.
    change : float or None
        second - first.
    effects : mapping of str to float or None
        By the names of factors; None where the metric is undefined in a rerun.
    together : float or None
        What remains of the change: what factors do only together, and the effect of a factor that
        could not be computed. Effects and this sum to the change.
    """

    name: str
    first: float | None
    second: float | None
    change: float | None
    effects: Mapping[str, float | None]
    together: float | None


@dataclass(frozen=True, slots=True)
class RevisedPrices:
    """The sessions whose prices differ between the states of two runs.

    Attributes
    ----------
    sessions : mapping of str to int
        Of the windows of the runs, by symbol.
    outside : mapping of str to int
        Before and after the windows.
    changes : tuple of Change
        The first few of those in the windows.
    """

    sessions: Mapping[str, int]
    outside: Mapping[str, int]
    changes: tuple[Change, ...]

    def said(self) -> Iterator[str]:
        """Yield how many they are, by symbol."""
        for symbol in {**self.sessions, **self.outside}:
            inside, outside = self.sessions.get(symbol, 0), self.outside.get(symbol, 0)
            yield f"{symbol}: {_sessions(inside)} of the window" + (
                f", {_sessions(outside)} outside" if outside else ""
            )


@dataclass(frozen=True, slots=True)
class RunSide:
    """One of two runs: its row, and what it was computed with; `id` None is "as of now"."""

    id: str | None
    name: str
    revision: int | None
    window: Mapping[str, str]

    def to_dict(self) -> JsonObject:
        """The run, ready for JSON."""
        window = dict(self.window)
        return {
            "id": self.id,
            "name": self.name,
            "data_revision": self.revision,
            "window": {"start": window["start"], "end": window["end"]},
        }


@dataclass(frozen=True, slots=True)
class Attribution:
    """The change of every metric between two runs, and what each difference did to it.

    Attributes
    ----------
    first, second : RunSide
    factors : tuple of Factor
        What differs.
    metrics : tuple of MetricChange
    prices : RevisedPrices
    notes : tuple of str
        What cannot be told, and why.
    """

    first: RunSide
    second: RunSide
    factors: tuple[Factor, ...]
    metrics: tuple[MetricChange, ...]
    prices: RevisedPrices
    notes: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Nothing differs, neither inputs nor any metric."""
        return not self.factors and all(each.first == each.second for each in self.metrics)

    def to_dict(self) -> JsonObject:
        """The attribution, ready for JSON."""
        return {
            "first": self.first.to_dict(),
            "second": self.second.to_dict(),
            "identical": self.identical,
            "factors": [
                {"name": each.name, "said": list(each.said), "problem": each.problem}
                for each in self.factors
            ],
            "metrics": {
                each.name: {
                    "first": each.first,
                    "second": each.second,
                    "change": each.change,
                    "effects": dict(each.effects),
                    "together": each.together,
                }
                for each in self.metrics
            },
            "prices": {
                "sessions": dict(self.prices.sessions),
                "outside": dict(self.prices.outside),
                "changes": [change.to_dict() for change in self.prices.changes],
            },
            "notes": list(self.notes),
        }


def _sessions(count: int) -> str:
    return f"{count:,} session{'s'[: count != 1]}"
