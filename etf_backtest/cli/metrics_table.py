"""The metrics of a stored backtest as a table, beside those of its benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from etf_backtest.cli.backtest_data import AGAINST, Metric, metrics_of

if TYPE_CHECKING:
    from etf_backtest.database.models import PerformanceMetrics

Data: TypeAlias = Mapping[str, object]
Columns: TypeAlias = list[tuple[str, Literal["left", "right"]]]

ANNUAL_MONEY = "money_weighted_return"
OF_MONEY = (ANNUAL_MONEY, "turnover")
"""What a benchmark, of which nobody holds any money, does not have."""
DAYS_OF_A_YEAR = 365


@dataclass(frozen=True, slots=True)
class MetricsTable:
    """What is shown of the metrics, and the warnings that belong to it.

    Attributes
    ----------
    metrics : tuple of Metric
        Those that are shown, in order.
    benchmark : str or None
        Its symbol.
    beside : mapping of str to float or None
        The benchmark's own metrics; empty where they are not stored.
    warnings : tuple of str
    """

    metrics: tuple[Metric, ...]
    benchmark: str | None
    beside: Mapping[str, float | None]
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, row: PerformanceMetrics, results: Data) -> MetricsTable:
        """The table of a row and its results, of any release."""
        benchmark = cast("str | None", results.get("benchmark"))
        days = (row.windowEnd - row.windowStart).days
        flows, short = bool(results.get("flows")), days < DAYS_OF_A_YEAR
        every = metrics_of(row)
        against = {metric.column for metric in every if metric.group == AGAINST}
        warnings = [
            str(warning)
            for warning in cast("Sequence[str]", results.get("warnings") or ())
            if benchmark or not _concerns(str(warning), against)
        ]
        computed = cast("Data", results.get("metrics") or {}).get(ANNUAL_MONEY)
        if short and computed is not None:
            # whether it fits its column is of no interest, where it means nothing
            warnings = [said for said in warnings if not said.startswith(f"{ANNUAL_MONEY} is ")]
            warnings.append(
                f"{ANNUAL_MONEY} is undefined: the window has {days} days, less than a year"
            )
        return cls(
            tuple(
                _shown(metric, flows=flows, short=short)
                for metric in every
                if benchmark or metric.group != AGAINST
            ),
            benchmark,
            cast("Mapping[str, float | None]", results.get("benchmark_metrics") or {}),
            tuple(warnings),
        )

    @property
    def columns(self) -> Columns:
        """Titles and how their cells are justified."""
        columns: Columns = [("", "left"), ("metric", "left"), ("value", "right")]
        if self.beside:
            columns.append((str(self.benchmark), "right"))
        return columns

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield group, label and values; a group is named once."""
        said = ""
        for metric in self.metrics:
            group = "" if metric.group == said else metric.group
            cells = (group, metric.label, str(metric))
            yield (*cells, self._beside(metric)) if self.beside else cells
            said = metric.group

    def _beside(self, metric: Metric) -> str:
        if metric.group == AGAINST or metric.column in OF_MONEY:
            return ""
        name = "cagr" if metric.column == "annualized_return" else metric.column
        value = self.beside.get(name)
        return str(metric._replace(value=None if value is None else Decimal(repr(value))))


def _shown(metric: Metric, *, flows: bool, short: bool) -> Metric:
    if flows and metric.column == "total_return":
        return metric._replace(label="total return, time-weighted")
    if short and metric.column == ANNUAL_MONEY:
        return metric._replace(value=None)
    return metric


def _concerns(warning: str, columns: set[str]) -> bool:
    """Whether a warning says that some of these metrics are undefined, and no others."""
    names, undefined, _ = warning.partition(" undefined: ")
    return bool(undefined) and set(names.rsplit(" ", 1)[0].split(", ")) <= columns
