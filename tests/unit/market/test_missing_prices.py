import datetime as dt

import numpy as np
import pandas as pd
import pytest

from etf_backtest.errors import MissingPricesError, WindowError
from etf_backtest.market import ForwardFill, PricePanel
from etf_backtest.market.missing import complete_prices

NONE = np.nan
DAYS = pd.DatetimeIndex(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08"])


def panel(**columns: list[float]) -> PricePanel:
    return PricePanel.from_frame(pd.DataFrame(columns, index=DAYS))


FULL = [1.0, 2.0, 3.0, 4.0, 5.0]
HOLE = [1.0, NONE, NONE, 4.0, 5.0]
LATE = [NONE, 2.0, 3.0, 4.0, 5.0]
EARLY = [1.0, 2.0, 3.0, 4.0, NONE]


def test_error_is_the_strict_one() -> None:
    assert complete_prices(panel(A=FULL), "error", first=0).notes == ()
    with pytest.raises(
        MissingPricesError, match="B lacks prices on 2 sessions from 2024-01-03 to 2024-01-04"
    ) as caught:
        complete_prices(panel(A=FULL, B=HOLE), "error", first=0)
    assert caught.value.symbol == "B"
    assert (caught.value.first, caught.value.last) == (dt.date(2024, 1, 3), dt.date(2024, 1, 4))
    assert caught.value.count == 2
    with pytest.raises(MissingPricesError, match=r"B lacks prices on 1 session .*; so does C"):
        complete_prices(panel(A=FULL, B=LATE, C=EARLY), "error", first=0)


def test_only_the_rows_that_are_needed_count() -> None:
    assert complete_prices(panel(B=HOLE), "error", first=3).panel.dates.size == 2


def test_common_clips_the_ends_and_says_so() -> None:
    complete = complete_prices(panel(A=LATE, B=EARLY), "common", first=0)
    assert complete.panel.prices[:, 0].tolist() == [2.0, 3.0, 4.0]
    assert complete.notes == (
        "only sessions that all symbols share are used: 2024-01-03 to 2024-01-05 instead of "
        "2024-01-02 to 2024-01-08",
    )
    assert complete_prices(panel(A=FULL), "common", first=0).notes == ()


def test_common_does_not_bridge_a_gap() -> None:
    with pytest.raises(MissingPricesError, match="B lacks prices on 2 sessions"):
        complete_prices(panel(A=FULL, B=HOLE), "common", first=0)


def test_common_may_leave_nothing() -> None:
    first, last = [1.0, 2.0, NONE, NONE, NONE], [NONE, NONE, NONE, 4.0, 5.0]
    with pytest.raises(WindowError, match="A, B share fewer than 2 sessions"):
        complete_prices(panel(A=first, B=last), "common", first=0)
    with pytest.raises(MissingPricesError, match="B lacks prices on 5 sessions"):
        complete_prices(panel(A=FULL, B=[NONE] * 5), "common", first=0)


def test_forward_fill_counts_what_it_fills() -> None:
    complete = complete_prices(panel(A=FULL, B=HOLE, C=EARLY), ForwardFill(2), first=0)
    assert complete.panel.prices[:, 1].tolist() == [1.0, 1.0, 1.0, 4.0, 5.0]
    assert complete.panel.prices[:, 2].tolist() == [1.0, 2.0, 3.0, 4.0, 4.0]
    assert complete.notes == (
        "B: 2 missing prices were carried forward (gaps of at most 2 sessions)",
        "C: 1 missing price was carried forward (gaps of at most 2 sessions)",
    )


def test_forward_fill_refuses_a_longer_gap() -> None:
    with pytest.raises(MissingPricesError, match="B lacks prices on 2 sessions from 2024-01-03"):
        complete_prices(panel(B=HOLE), ForwardFill(1), first=0)


def test_forward_fill_invents_no_first_price() -> None:
    with pytest.raises(MissingPricesError, match="B lacks prices on 1 session from 2024-01-02"):
        complete_prices(panel(B=LATE), ForwardFill(5), first=0)


def test_forward_fill_reaches_back_before_the_first_needed_row() -> None:
    complete = complete_prices(panel(B=HOLE), ForwardFill(2), first=2)
    assert complete.panel.prices[:, 0].tolist() == [1.0, 4.0, 5.0]
    assert complete.notes[0].startswith("B: 1 missing price was")


def test_a_gap_of_nothing_is_no_policy() -> None:
    with pytest.raises(ValueError, match="max_gap must be 1 or more, received 0"):
        ForwardFill(0)
