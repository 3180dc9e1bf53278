"""How the attribution of a change looks in a terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from etf_backtest.cli import console
from etf_backtest.cli.backtest_data import METRICS
from etf_backtest.cli.prices_history import show_changes

if TYPE_CHECKING:
    from etf_backtest.services.attribution_result import Attribution, MetricChange, RunSide

DUST: Final = 1e-12
"""Less than this is the rounding of sums of floating-point numbers, and shown as 0."""
_LABELS: Final = {
    "cagr" if column == "annualized_return" else column: (label, is_percent)
    for _group, column, label, _attribute, is_percent in METRICS
}


def show(found: Attribution, *, json: bool) -> None:
    """The two runs, what differs, and what each difference did to each metric, on stdout."""
    if json:
        console.show_json(found.to_dict())
        return
    console.show_facts("", [("run 1", _run(found.first)), ("run 2", _run(found.second))])
    console.show_text("")
    if found.identical:
        console.show_text("identical: nothing differs that they depend on, and no metric")
    for factor in found.factors:
        console.show_text(f"{factor.name}:", style="bold")
        for line in factor.said:
            console.show_text(f"  {line}")
        if factor.problem:
            console.show_text(f"  its effect cannot be computed: {factor.problem}")
        if factor.name == "prices" and found.prices.changes:
            show_changes(found.prices.changes)
            more = sum(found.prices.sessions.values()) - len(found.prices.changes)
            if more > 0:
                console.show_text(f"  and {more:,} more")
    if not found.identical:
        _show_metrics(found)
    for note in found.notes:
        console.warn(note)


def _run(run: RunSide) -> str:
    state = "" if run.revision is None else f", prices of state {run.revision}"
    return " ".join(
        [
            *([] if run.id is None else [run.id[:8]]),
            f"{run.name}, {run.window['start']} to {run.window['end']}{state}",
        ]
    )


def _show_metrics(found: Attribution) -> None:
    changed = [each for each in found.metrics if _matters(each)]
    console.show_text("")
    if not changed:
        console.show_text("no metric changes")
        return
    factors = [name for name in changed[0].effects if any(name in m.effects for m in changed)]
    rest = len(found.factors) > 1 or any(factor.problem for factor in found.factors)
    titles = ["run 1", "run 2", "change", *factors, *(["together"] if rest else [])]
    console.show_table(
        None,
        [("metric", "left"), *((title, "right") for title in titles)],
        [tuple(_cells(each, factors, rest=rest)) for each in changed],
    )
    same = sum(each.first is not None for each in found.metrics if not _matters(each))
    if same:
        console.show_text(f"{same} more metric{'s do' if same > 1 else ' does'} not change")


def _matters(each: MetricChange) -> bool:
    if (each.first is None) != (each.second is None):
        return True
    return any(abs(number or 0.0) >= DUST for number in (each.change, *each.effects.values()))


def _cells(each: MetricChange, factors: list[str], *, rest: bool) -> Iterator[str]:
    label, is_percent = _LABELS[each.name]
    yield label
    for value in (each.first, each.second):
        yield "undefined" if value is None else _number(value, is_percent=is_percent, sign="")
    for value in (
        each.change,
        *(each.effects.get(name) for name in factors),
        *([each.together] if rest else []),
    ):
        yield "-" if value is None else _number(value, is_percent=is_percent, sign="+")


def _number(value: float, *, is_percent: bool, sign: str) -> str:
    """A number, or a change with its sign; small ones are written out and never rounded to 0."""
    if sign and abs(value) < DUST:
        return "0"
    shown, unit = (100 * value, "%") if is_percent else (value, "")
    digits = ".1e" if sign and abs(shown) < 5e-5 else ".4f"
    return f"{shown:{sign}{digits}}{unit}"
