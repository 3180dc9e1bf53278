"""Funds, and files of them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from etf_backtest.errors.base import EtfBacktestError
from etf_backtest.errors.wording import listed, quoted


@dataclass(frozen=True, slots=True)
class FundProblem:
    """One cell or row of a file of funds that cannot be taken.

    Attributes
    ----------
    row : int
        The line as an editor counts them.
    symbol, field, value : str or None
        Whose, which column, and what stands there, as far as the problem is about one.
    expected : str
        What should stand there instead.
    """

    row: int
    expected: str
    symbol: str | None = None
    field: str | None = None
    value: str | None = None

    def __str__(self) -> str:
        """For example "row 7, VTI: expense_ratio '0,03': expected a number like 0.0003"."""
        where = f"row {self.row}, {self.symbol}" if self.symbol else f"row {self.row}"
        what = " ".join(
            part
            for part in (self.field, None if self.value is None else quoted(self.value))
            if part
        )
        return f"{where}: {what}: expected {self.expected}" if what else f"{where}: {self.expected}"


class FundFileError(EtfBacktestError):
    """A file of funds cannot be taken as it is; nothing of it was stored."""

    def __init__(
        self,
        path: Path,
        message: str | None = None,
        *,
        problems: Sequence[FundProblem] = (),
        remedy: str | None = None,
    ) -> None:
        if message is None:
            others = len(problems) - 1
            more = f" (and {others:,} more problem{'s'[: others > 1]})" if others else ""
            message = f"{problems[0]}{more}"
            remedy = remedy or "mend the file and import it again; nothing of it was stored"
        super().__init__(f"{path.name or path}: {message}", remedy=remedy)
        self.path = path
        self.problems = tuple(problems)


class UnknownCategoryError(EtfBacktestError):
    """No fund is, or ever was, of that category (or sector, which `kind` says)."""

    exit_code = 2

    def __init__(self, kind: str, name: str, *, known: Sequence[str]) -> None:
        # capital letters sort first, and so are what is shown of names that differ in case only
        by_name = {each.casefold(): each for each in sorted(known, reverse=True)}
        near = [by_name[each] for each in difflib.get_close_matches(name.casefold(), by_name, n=3)]
        if near:
            remedy = f"did you mean {' or '.join(near)}?"
        elif known:
            remedy = f"known are {listed(sorted(by_name.values()))}"
        else:
            remedy = "store some funds first: etf-backtest seed, or etf-backtest etf import FILE"
        super().__init__(f"no fund is of the {kind} {quoted(name)}", remedy=remedy)
        self.kind = kind
        self.name = name
        self.known = tuple(known)
