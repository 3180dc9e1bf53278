"""How backtests on their way look: live on a terminal, else a line for each change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from etf_backtest.cli import console
from etf_backtest.errors.wording import shortened

if TYPE_CHECKING:
    from etf_backtest.services.progress import Progress

Show: TypeAlias = "Callable[[Sequence[Progress]], None]"
"""What is called with all that is watched, at each look."""
Showing: TypeAlias = Callable[[], AbstractContextManager[Show]]

COLUMNS: Final[tuple[tuple[str, console.Justify], ...]] = (
    ("id", "left"),
    ("name", "left"),
    ("status", "left"),
    ("for", "right"),
    ("attempts", "right"),
    ("", "left"),
)
SHORT_ID = 8
LONGEST_REMARK = 40
"""In a table, whose cells are not cut; `backtest show` has all of it."""
SHORT, MINUTE, HOUR = 10, 60, 3600


def how_to_show(*, json: bool) -> Showing:
    """On stdout: JSON lines, a live table where there is a terminal, or plain lines."""
    if json:
        return partial(_each_change, lambda each: console.show_json_line(as_data(each)))
    if console.is_live():
        return _live
    return partial(_each_change, lambda each: console.show_text(line(each)))


def narrating() -> AbstractContextManager[Show]:
    """Lines on stderr."""
    return _each_change(lambda each: console.narrate(line(each)))


@contextmanager
def _each_change(say: Callable[[Progress], None]) -> Iterator[Show]:
    """Say one when its status or attempt changes; its place in the queue moves with all others."""
    said: dict[str, tuple[str, int]] = {}

    def show(looked: Sequence[Progress]) -> None:
        for each in looked:
            if said.get(each.id) != (each.status, each.attempts):
                said[each.id] = (each.status, each.attempts)
                say(each)

    yield show


@contextmanager
def _live() -> Iterator[Show]:
    with console.live_table(COLUMNS, fold="name") as update:
        yield lambda looked: update([_cells(each) for each in looked])


def _cells(each: Progress) -> tuple[str, ...]:
    attempts = str(each.attempts) if each.attempts else ""
    time = "" if each.has_ended else duration(each.seconds)
    remark = shortened(_remark(each), LONGEST_REMARK)
    return each.id[:SHORT_ID], each.name, each.status, time, attempts, remark


def line(each: Progress) -> str:
    """One on a line: which, and where it stands."""
    parts = [f"backtest {each.id[:SHORT_ID]} ({each.name}) is {each.status}"]
    if each.status == "running" and each.attempts > 1:
        parts.append(f"attempt {each.attempts}")
    return ", ".join([*parts, *filter(None, [_remark(each)])])


def _remark(each: Progress) -> str:
    if each.ahead is not None:
        return f"{each.ahead:,} before it" if each.ahead else "next"
    return each.error_message or ""


def duration(seconds: float) -> str:
    """As people say it: 0.3 s, 15 s, 2 min 10 s, 1 h 5 min."""
    whole = int(seconds)
    if whole < MINUTE:
        return f"{seconds:.1f} s" if seconds < SHORT else f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    return f"{whole // HOUR:,} h {whole % HOUR // MINUTE} min"


def as_data(each: Progress) -> dict[str, object]:
    """For JSON."""
    return {**asdict(each), "since": each.since.isoformat()}


def left_alone(seen: Sequence[Progress]) -> str:
    """What is said when watching ends before they do."""
    left = [each for each in seen if not each.has_ended]
    if not left:
        return "no longer watched"
    counts = Counter(each.status for each in left)
    what = " and ".join(f"{count:,} {status}" for status, count in sorted(counts.items()))
    one = len(left) == 1
    ids = f" {left[0].id[:SHORT_ID]}" if one else ""
    return (
        f"no longer watched; {what} {'goes' if one else 'go'} on without: "
        f"etf-backtest backtest watch{ids}, or cancel{ids or ' ID'}"
    )
