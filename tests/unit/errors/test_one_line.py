"""Messages are one line, whatever somebody wrote, and not of any length."""

import datetime as dt

import numpy as np
import pytest

from etf_backtest.errors import (
    EtfBacktestError,
    InvalidParametersError,
    MissingPricesError,
    NameTakenError,
    StudioStoppedError,
    UnknownStrategyError,
    UnknownSymbolError,
)
from etf_backtest.errors.wording import joined, listed, one_line, printable, quoted
from etf_backtest.market import PricePanel
from etf_backtest.simulation import Costs, Rules


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two  blanks stay", "two  blanks stay"),
        ("one\n  two\r\n\n three ", "one two three"),
        ("a tab\there", "a tab here"),
        ("\x1b[31mred\x00", "\\x1b[31mred\\x00"),
        ("half of a pair: \ud800", "half of a pair: \\ud800"),
        ("zurück 💰", "zurück 💰"),
    ],
)
def test_message_and_remedy_are_one_line(text: str, expected: str) -> None:
    error = EtfBacktestError(text, remedy=text)
    assert (error.message, error.remedy) == (expected, expected)
    assert error.args == (expected,)
    assert str(error) == f"{expected} ({expected})"


def test_a_message_of_a_megabyte_is_cut() -> None:
    assert len(EtfBacktestError("x" * 1_000_000).message) == 4_000


def test_what_somebody_wrote_is_quoted_up_to_120_characters() -> None:
    with pytest.raises(InvalidParametersError) as refused:
        Rules(initial_capital="x" * 3_000)
    (problem,) = refused.value.problems
    assert problem.endswith(f"received '{'x' * 116}...")
    with pytest.raises(InvalidParametersError, match=r"^Costs: x y: extra inputs are not"):
        Costs.model_validate({"x\ny": 1})
    with pytest.raises(InvalidParametersError) as refused:
        Costs.model_validate({"x" * 3_000: 1})
    assert len(refused.value.problems[0]) < 200


def test_an_array_is_quoted_on_one_line() -> None:
    assert quoted(np.zeros((2, 2))) == "array([[0., 0.], [0., 0.]])"
    assert quoted("a\nb") == r"'a\nb'"
    assert one_line("") == ""


@pytest.mark.parametrize(
    "error",
    [
        UnknownSymbolError("X", known=[f"S{k:04}" for k in range(2_000)]),
        UnknownStrategyError("X", known=[f"S{k:04}" for k in range(2_000)]),
    ],
)
def test_twenty_names_are_listed_and_the_others_counted(error: EtfBacktestError) -> None:
    assert error.remedy is not None
    assert error.remedy.endswith("S0018, S0019 and 1,980 more")


def test_long_names_and_lists_are_cut() -> None:
    assert listed(["A", "B"]) == "A, B"
    assert len(UnknownSymbolError("X" * 5_000, known=["Y" * 5_000]).message) < 150
    assert len(str(NameTakenError("portfolio", "X" * 5_000))) < 200
    assert joined(str(k) for k in range(22)).endswith("18; 19; and 2 more")


def test_missing_prices_of_a_thousand_symbols_name_twenty() -> None:
    day = dt.date(2024, 1, 31)
    others = [f"S{k}" for k in range(1_000)]
    error = MissingPricesError("A", first=day, last=day, count=1, others=others)
    assert error.message.endswith("S19 and 980 more")
    assert error.others == tuple(others)


def test_the_last_lines_of_a_log_are_put_in_a_row() -> None:
    error = StudioStoppedError(3, ["first", "second"])
    assert error.message == "Prisma Studio ended by itself with exit code 3: first | second"
    assert error.last_lines == ("first", "second")


def test_a_panel_of_many_symbols_shows_the_first() -> None:
    days = np.arange("2024-01-01", "2024-01-03", dtype="datetime64[D]")
    symbols = tuple(f"S{k}" for k in range(100))
    panel = PricePanel(days, symbols, np.ones((2, 100)), ("total_return",) * 100)  # type: ignore[arg-type]
    assert repr(panel).endswith(
        "2 sessions, S0, S1, S2, S3, S4, S5, S6, S7, S8, S9, S10, S11, "
        "S12, S13, S14, S15, S16, S17, S18, S19 and 80 more)"
    )


def test_what_a_terminal_would_obey_is_escaped_and_lines_stay() -> None:
    """An escape sequence of a file's name, and a mark that writes from right to left."""
    assert printable("s\x1b[31mred\n\u202efdp.csv\n") == "s\\x1b[31mred\n\\u202efdp.csv\n"
    assert printable("─── zurück\n") == "─── zurück\n"
