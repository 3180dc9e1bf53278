"""A curve in a terminal: braille dots, two by four to a character."""

from __future__ import annotations

from collections.abc import Sequence

_FIRST = 0x2800
# the bit of each dot, by column (0, 1) and row from the top (0..3)
_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))


def braille_chart(values: Sequence[float], *, width: int, height: int) -> list[str]:
    """Draw `values` over equal steps, the highest in the top row and the lowest in the bottom one.

    Parameters
    ----------
    values : sequence of float
        At least one, all finite.
    width, height : int
        In characters; each is 2 dots wide and 4 dots high.

    Returns
    -------
    list of str
        `height` lines of `width` characters.
    """
    columns, rows = 2 * width, 4 * height
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    last = len(values) - 1
    levels = [
        rows - 1 - round((values[round(x * last / (columns - 1))] - low) / span * (rows - 1))
        for x in range(columns)
    ]
    cells = [[0] * width for _ in range(height)]
    previous = levels[0]
    for x, level in enumerate(levels):
        # join neighbours, so that a steep fall is a line and not two specks
        top, bottom = sorted((level, previous))
        if level < previous:
            bottom = max(level, previous - 1)
        elif level > previous:
            top = min(level, previous + 1)
        for y in range(top, bottom + 1):
            cells[y // 4][x // 2] |= _BITS[x % 2][y % 4]
        previous = level
    return ["".join(chr(_FIRST + cell) for cell in row) for row in cells]


def plain(lines: Sequence[str]) -> list[str]:
    """The same chart for a terminal that has no braille: a star where there are dots."""
    return ["".join(" " if cell == chr(_FIRST) else "*" for cell in line) for line in lines]
