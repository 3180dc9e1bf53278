"""Whether closes are divided by later splits, as a column of a table says it row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from etf_backtest.errors import LayoutError
from etf_backtest.errors.wording import quoted
from etf_backtest.market.bars import UNKNOWN, Bars
from etf_backtest.providers.decimals import is_text
from etf_backtest.typing import FloatArray

if TYPE_CHECKING:
    import pyarrow as pa

ONE_SPLIT = 10**12
"""A split ratio of 1 (none) in the units of `Bars.split_ratio`."""


def split_flags(column: pa.Array[Any]) -> tuple[FloatArray, dict[int, str]]:
    """Read a column of true, false (in any case) and empty cells.

    Returns
    -------
    ndarray of float64, shape (rows,)
        1 for true, 0 for false, NaN where the cell is empty or wrong.
    dict of int to str
        What is wrong with a cell, by its position.

    Raises
    ------
    LayoutError
        The column has neither booleans nor strings.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as kind

    if column.null_count == len(column):
        return np.full(len(column), np.nan), {}
    if kind.is_boolean(column.type):
        true = pc.is_in(column, value_set=pa.array([True])).to_numpy(zero_copy_only=False)
        unsaid = pc.is_null(column).to_numpy(zero_copy_only=False)
        return np.select([unsaid, true], [np.nan, 1.0], 0.0), {}
    if not is_text(column.type):
        raise LayoutError(
            f"has the type {column.type} in the column split_adjusted",
            remedy="convert it to booleans",
        )
    words = pc.ascii_lower(pc.ascii_trim_whitespace(column)).fill_null("")
    true, false, empty = (
        pc.is_in(words, value_set=pa.array([word])).to_numpy(zero_copy_only=False)
        for word in ("true", "false", "")
    )
    wrong = np.flatnonzero(~(true | false | empty)).tolist()
    return np.select([true, false], [1.0, 0.0], np.nan), {
        row: f"{quoted(str(column[row].as_py()))} is not true, false or empty" for row in wrong
    }


def with_word(flags: FloatArray, said: bool | None, bars: Bars) -> FloatArray:
    """The flags of bars, with the caller's word where they say nothing.

    Parameters
    ----------
    flags : ndarray of float64, shape (rows,)
        1, 0, and NaN where not said.
    said : bool or None
        What the caller says of all closes.
    bars : Bars
        Whose flags they are.

    Raises
    ------
    LayoutError
        A row says the contrary.
    """
    if said is None:
        return flags
    contrary = flags == (not said)
    if contrary.any():
        row = int(np.flatnonzero(contrary)[0])
        column, word = ("false", "split-adjusted") if said else ("true", "traded")
        raise LayoutError(
            f"has a column split_adjusted that says {column} ({bars.symbol(row)} on "
            f"{bars.dates[row]}), and you say --closes {word}",
            remedy="leave --closes out, or mend the column",
        )
    return np.full(flags.shape, float(said))


def refuse_unsaid_splits(bars: Bars, flags: FloatArray | None) -> None:
    """Raise where closes have splits: they look alike, whether divided by them or not.

    Parameters
    ----------
    bars : Bars
    flags : ndarray of float64, shape (rows,), or None
        Rows that say it, by 1 or 0, are fine.

    Raises
    ------
    LayoutError
        A row with a close and a split does not say it.
    """
    real = (bars.close != UNKNOWN) & (bars.split_ratio != UNKNOWN) & (bars.split_ratio != ONE_SPLIT)
    if flags is not None:
        real &= np.isnan(flags)
    if real.any():
        row = int(np.flatnonzero(real)[0])
        raise LayoutError(
            f"has closes and splits ({bars.symbol(row)} on {bars.dates[row]}), and does not say "
            "whether its closes are as traded or already divided by later splits",
            remedy="say --closes traded or --closes split-adjusted",
        )
