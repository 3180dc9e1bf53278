"""The terminal chart, against dots counted by hand."""

from __future__ import annotations

from etf_backtest.cli.chart import braille_chart


def test_a_rising_line_goes_from_bottom_left_to_top_right() -> None:
    # one character is 2 dots wide and 4 high: bottom left (0x40) up to top right (0x08), joined
    assert braille_chart([0.0, 1.0], width=1, height=1) == [chr(0x2800 | 0x40 | 0x08 | 0x10 | 0x20)]


def test_a_flat_curve_is_one_row_of_dots() -> None:
    assert braille_chart([5.0] * 7, width=3, height=1) == [chr(0x2800 | 0x40 | 0x80) * 3]


def test_a_fall_shows_the_peak_in_the_top_row_and_the_trough_in_the_bottom_row() -> None:
    top, middle, bottom = braille_chart([1.0, 2.0, 0.5, 1.0], width=8, height=3)
    assert top.strip(chr(0x2800))
    assert middle.strip(chr(0x2800))
    assert bottom.strip(chr(0x2800))


def test_one_value_is_drawn() -> None:
    assert len(braille_chart([3.0], width=4, height=2)) == 2
