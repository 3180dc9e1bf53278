"""Strategies that other packages offer, in the entry-point group `etf_backtest.strategies`."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Container
from typing import TYPE_CHECKING

from etf_backtest.errors import EntryPointError
from etf_backtest.strategies.strategy import Strategy
from etf_backtest.strategies.symbols import shown

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "etf_backtest.strategies"


def offered() -> dict[str, list[EntryPoint]]:
    """Entry points of the group by name; nothing is imported yet.

    One of a name is what is expected; `load` refuses more, unless they mean the same class.
    """
    from importlib.metadata import entry_points  # late: most runs have no need of it

    named: dict[str, list[EntryPoint]] = defaultdict(list)
    for entry in entry_points(group=GROUP):
        if all(entry.value != other.value for other in named[entry.name]):
            named[entry.name].append(entry)
    return dict(sorted(named.items()))


def load(entries: list[EntryPoint], *, taken: Container[str]) -> type[Strategy]:
    """Import the class that entry points of one name stand for.

    Raises
    ------
    EntryPointError
        It cannot be imported, is no strategy that can be built, or has a name that is taken.
    """
    entry, *others = entries
    if entry.name in taken:
        raise _unusable(entry, "a built-in strategy has that name")
    if others:
        raise _unusable(entry, f"{_package(others[0])} offers another one of that name")
    try:
        kind: object = entry.load()
    except (Exception, SystemExit) as error:  # whatever a stranger's module raises on import
        said = " ".join(str(error).split())
        raise _unusable(entry, f"{type(error).__name__}: {said}") from error
    if not (isinstance(kind, type) and issubclass(kind, Strategy)):
        raise _unusable(entry, f"expected a subclass of Strategy, received {shown(kind)}")
    if inspect.isabstract(kind):
        missing = ", ".join(sorted(kind.__abstractmethods__))
        raise _unusable(entry, f"{kind.__name__} has no {missing}")
    if getattr(kind, "name", None) != entry.name:
        raise _unusable(
            entry,
            f"expected {kind.__name__}.name to be {entry.name!r}, "
            f"received {getattr(kind, 'name', None)!r}",
        )
    return kind


def _unusable(entry: EntryPoint, reason: str) -> EntryPointError:
    return EntryPointError(entry.name, value=entry.value, package=_package(entry), reason=reason)


def _package(entry: EntryPoint) -> str:
    return "unknown" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
