"""Columns of cells as whole numbers of a decimal's last place: exact, never through float."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from etf_backtest.errors import LayoutError
from etf_backtest.errors.wording import quoted
from etf_backtest.market.bars import UNKNOWN, Whole

if TYPE_CHECKING:
    import pyarrow as pa

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
"""A number as it may stand in a cell; no NaN, no underscores, no commas."""

_DIGITS = 38
_PLACES = 20
"""A float's shortest form seldom has more places; cells with more are taken one by one."""
_HIGHEST = np.iinfo(np.int64).max


def whole_numbers(
    column: pa.Array[Any], scale: int, *, name: str, whole: bool = False
) -> tuple[Whole, dict[int, str]]:
    """The decimals of a column times 10 to the power of `scale`, rounded half to even.

    Parameters
    ----------
    column : pyarrow.Array of strings, decimals, integers or floats
        Of floats, the shortest decimal that gives the float is what is rounded. Null and NaN are
        unknown.
    scale : int
        Digits after the point.
    name : str
        What the column is, for messages.
    whole : bool
        Whether a value between two units is a problem instead of being rounded.

    Returns
    -------
    numbers : ndarray of int64
        `UNKNOWN` where the cell is null or a problem.
    problems : dict of int to str
        What is wrong with the cells that are no such number, by position.

    Raises
    ------
    LayoutError
        The column has no numbers by its type.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as kind

    exact = pa.decimal128(_DIGITS, scale)
    if kind.is_null(column.type):
        return np.full(len(column), UNKNOWN), {}
    if kind.is_floating(column.type):
        column = _shortest(column)
    elif kind.is_integer(column.type):
        return _low_words(column.cast(pa.decimal128(_DIGITS, 0)).cast(exact))
    elif not (is_text(column.type) or kind.is_decimal(column.type)):
        raise LayoutError(
            f"has the type {column.type} in the column {name}", remedy="convert it to numbers"
        )
    try:
        _refuse_wrapping(column, scale)
        return _low_words(column.cast(exact))
    except pa.ArrowInvalid:  # more places, or something that is no number
        pass
    try:
        _refuse_wrapping(column, _PLACES)
        fine = column.cast(pa.decimal128(_DIGITS, _PLACES))
        rounded = pc.round(fine, scale, "half_to_even")
        if not whole or pc.all(pc.equal(fine, rounded), min_count=0).as_py():
            return _low_words(rounded.cast(exact))
    except pa.ArrowInvalid:
        pass
    if kind.is_decimal(column.type):
        column = column.cast(pa.string())
    return _one_by_one(column, scale, whole=whole)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of that type has strings as they are."""
    import pyarrow.types as types

    return types.is_string(kind) or types.is_large_string(kind)


def _refuse_wrapping(column: pa.Array[Any], scale: int) -> None:
    """Raise ArrowInvalid where a cast to decimals of that scale might leave 128 bits unnoticed.

    Arrow takes the low 128 bits of what it multiplies and divides by, and of digits beyond the
    38th.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if is_text(column.type):
        lengths = pc.binary_length(column)  # type: ignore[call-overload]  # stubs: large ones only
        if (pc.max(lengths).as_py() or 0) > _DIGITS:
            raise pa.ArrowInvalid("more digits than 128 bits have")
        for small in ("e-", "E-"):
            if pc.any(pc.match_substring(column, small)).as_py():
                raise pa.ArrowInvalid("divided by a power of ten")
    largest = pc.max(pc.abs(column.cast(pa.float64()))).as_py()
    if largest is not None and largest >= 10.0 ** (_DIGITS - 1 - scale):
        raise pa.ArrowInvalid("larger than 128 bits")


def _shortest(column: pa.Array[Any]) -> pa.Array[Any]:
    """Floats as their shortest decimals; NaN becomes null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    known: pa.Array[Any] = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return known.cast(pa.string())


def _low_words(column: pa.Array[Any]) -> tuple[Whole, dict[int, str]]:
    """The integers behind decimals; a problem where one does not fit into 64 bits."""
    words = np.frombuffer(memoryview(column.buffers()[1] or b""), dtype="<i8").reshape(-1, 2)
    words = words[column.offset : column.offset + len(column)]
    numbers = words[:, 0].copy()
    missing = column.is_null().to_numpy(zero_copy_only=False)
    wrong = ((numbers >> 63) != words[:, 1]) | (numbers == UNKNOWN)
    problems = {}
    if wrong.any():
        for position in np.flatnonzero(wrong & ~missing):
            value = column[int(position)].as_py().normalize()
            problems[int(position)] = f"{value} is out of range"
    numbers[missing | wrong] = UNKNOWN
    return numbers, problems


def _one_by_one(column: pa.Array[Any], scale: int, *, whole: bool) -> tuple[Whole, dict[int, str]]:
    """The same, where some cells need a look each; what is plain is still taken at once."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.utf8_trim_whitespace(column)
    plain = pc.match_substring_regex(text, rf"^[+-]?\d{{1,17}}(\.\d{{0,{_PLACES}}})?$")
    fine = pc.if_else(plain, text, pa.scalar(None, text.type)).cast(pa.decimal128(_DIGITS, _PLACES))
    rounded = pc.round(fine, scale, "half_to_even")
    numbers, problems = _low_words(rounded.cast(pa.decimal128(_DIGITS, scale)))
    strange: Any = pc.invert(plain)
    if whole:
        strange = pc.or_kleene(strange, pc.not_equal(fine, rounded))
    others = pc.fill_null(strange, False).to_numpy(zero_copy_only=False)
    for position in np.flatnonzero(others):
        cell = text[int(position)].as_py()
        if cell == "":
            continue
        try:
            numbers[position] = _whole_number(cell, scale, whole=whole)
        except ValueError as error:
            numbers[position] = UNKNOWN
            problems[int(position)] = str(error)
    return numbers, problems


def _whole_number(cell: str, scale: int, *, whole: bool) -> int:
    if NUMBER.fullmatch(cell) is None:
        raise ValueError(f"{quoted(cell)} is not a number like {'1234' if whole else '1234.5'}")
    number = Decimal(cell)
    if number and number.adjusted() + scale > len(str(_HIGHEST)):
        raise ValueError(f"{quoted(cell)} is out of range")
    scaled = number.scaleb(scale, Context(prec=len(cell) + _DIGITS))
    rounded = scaled.to_integral_value(ROUND_HALF_EVEN)
    if whole and rounded != scaled:
        raise ValueError(f"{quoted(cell)} is not a number like 1234: it is not whole")
    if abs(rounded) > _HIGHEST:
        raise ValueError(f"{quoted(cell)} is out of range")
    return int(rounded)
