"""What a column of a long table says of each row's close: as traded, divided by splits, or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from etf_backtest.errors import PriceDataError, PriceFileError
from etf_backtest.market.quality import Level
from etf_backtest.providers.frame_prices import frame_prices
from tests.unit.providers.reading import batches, findings, opened, rejects

HEAD = "symbol,date,close,split_ratio,split_adjusted\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "prices.csv"


def said(path: Path, **options: str) -> list[float]:
    (batch,) = batches(path, **options)
    assert batch.split_adjusted is not None
    return [float(flag) for flag in batch.split_adjusted]


def test_rows_say_it_also_where_there_is_a_split(path: Path) -> None:
    path.write_text(HEAD + "A,2024-01-02,10,2,true\nA,2024-01-03,10,2,FALSE\nA,2024-01-04,10,1,\n")
    assert opened(path).split_adjusted is None
    np.testing.assert_array_equal(said(path), [1, 0, np.nan])


def test_a_split_whose_row_says_nothing_needs_a_word(path: Path) -> None:
    path.write_text(HEAD + "A,2024-01-02,10,2,false\nA,2024-01-03,10,2,\n")
    with pytest.raises(PriceFileError, match=r"splits \(A on 2024-01-03\).*--closes traded"):
        batches(path)
    assert said(path, closes="traded") == [0, 0]


def test_a_word_that_contradicts_a_row_is_an_error(path: Path) -> None:
    path.write_text(HEAD + "A,2024-01-02,10,1,\nA,2024-01-03,10,1,true\n")
    with pytest.raises(
        PriceFileError,
        match=r"split_adjusted that says true \(A on 2024-01-03\), and you say --closes traded",
    ):
        batches(path, closes="traded")
    assert said(path, closes="split-adjusted") == [1, 1]


def test_another_value_is_a_reject_of_its_row(path: Path) -> None:
    path.write_text(HEAD + "A,2024-01-02,10,1,yes\nB,2024-01-02,10,1,true\nA,2024-01-03,10,1,1\n")
    read = batches(path)
    assert rejects(read) == [
        "row 2, A, 2024-01-02: split_adjusted 'yes' is not true, false or empty",
        "row 4, A, 2024-01-03: split_adjusted '1' is not true, false or empty",
    ]
    assert {found.rule for found in findings(read, Level.REJECT)} == {"unreadable_flag"}
    assert said(path) == [1]


def test_a_frame_has_booleans_and_none(path: Path) -> None:
    frame = pd.DataFrame(
        {
            "symbol": ["A", "A", "A"],
            "date": ["2024-01-02", "2024-01-03", "2024-01-04"],
            "close": [10.0, 10.0, 10.0],
            "split_adjusted": [True, None, False],
        }
    )
    (batch,) = frame_prices(frame).batches()
    np.testing.assert_array_equal(batch.split_adjusted, [1, np.nan, 0])
    numbers = frame.assign(split_adjusted=[1.0, np.nan, 0.0])
    with pytest.raises(PriceDataError, match="the type double in the column split_adjusted"):
        list(frame_prices(numbers).batches())
    (batch,) = frame_prices(frame.assign(split_adjusted=np.nan)).batches()
    np.testing.assert_array_equal(batch.split_adjusted, [np.nan] * 3)
