"""What is found out about portfolios, piece by piece: metrics, curves and what has to be said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from etf_backtest.market.frozen import FrozenArrays
from etf_backtest.typing import DateArray, FloatArray, IndexArray


@dataclass(frozen=True, slots=True, eq=False)
class Curves(FrozenArrays):
    """Values of some portfolios on the same sessions, currency.

    Attributes
    ----------
    dates : ndarray of shape (T,)
    numbers : ndarray of shape (p,)
        Of the portfolios.
    values : ndarray of shape (T, p)
    """

    dates: DateArray
    numbers: IndexArray
    values: FloatArray

    def __post_init__(self) -> None:
        for name in self.__slots__:
            getattr(self, name).flags.writeable = False


class Table:
    """Collects the metrics, curves and notes of a batch."""

    def __init__(self, count: int, names: Iterable[str]) -> None:
        self.count = count
        self.values = {name: np.full(count, np.nan) for name in names}
        self.curves: list[Curves] = []
        self._notes: dict[str, list[int]] = {}

    def set(self, numbers: IndexArray | int, values: Mapping[str, FloatArray | float]) -> None:
        """Put down the metrics of some portfolios."""
        for name, column in values.items():
            self.values[name][numbers] = column

    def note(self, text: str, numbers: Iterable[int]) -> None:
        """Put down what has to be known about some portfolios."""
        self._notes.setdefault(text, []).extend(numbers)

    def warnings(self) -> tuple[str, ...]:
        """The notes, each once, with the portfolios that they are about unless that is all."""
        found = []
        for text, numbers in self._notes.items():
            about = sorted(set(numbers))
            if len(about) == self.count:
                found.append(text)
            elif len(about) == 1:
                found.append(f"{text} (portfolio {about[0]})")
            else:
                found.append(
                    f"{text} ({len(about)} of {self.count} portfolios, the first is number "
                    f"{about[0]})"
                )
        undefined = {
            name: missing
            for name, column in self.values.items()
            if (missing := int(np.isnan(column).sum()))
        }
        if undefined:
            listed = ", ".join(
                name if missing == self.count else f"{name} ({missing} of {self.count})"
                for name, missing in undefined.items()
            )
            found.append(f"undefined and therefore NaN, `simulate` says why: {listed}")
        return tuple(found)
