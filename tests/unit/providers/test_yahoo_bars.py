"""One answer, read without a network."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etf_backtest.errors import MalformedAnswerError, ProviderError, SymbolNotFoundError
from etf_backtest.providers.source import PriceBatch
from etf_backtest.providers.yahoo_answers import Chart, read_chart, refusal
from etf_backtest.providers.yahoo_bars import chart_batch
from tests.fixtures.yahoo_tables import Fund, chart_json

START = dt.date(2024, 1, 1)
NOW = dt.datetime(2024, 3, 1, tzinfo=dt.UTC)
ROWS: list[tuple[Any, ...]] = [
    ("2024-01-02", 10.0, 10.0, 10.0, 10.0, 10.0, 1),
    ("2024-01-03", 11.0, 11.0, 11.0, 11.0, 11.0, 1),
]


def answer(fund: Fund) -> dict[str, Any]:
    window = {"period1": ["1704085200"], "period2": ["1709251200"]}
    return chart_json("SPY", fund, window)


def chart(text: str) -> Chart:
    return read_chart("SPY", text, answered=NOW)


def batch(text: str) -> PriceBatch:
    return chart_batch(chart(text), start=START)


def with_closes(*closes: str) -> str:
    """An answer whose closes are these texts, as they stand."""
    rows = [(f"2024-01-{day:02}", *ROWS[0][1:]) for day in range(2, 2 + len(closes))]
    result = answer(Fund(rows=rows))
    result["chart"]["result"][0]["indicators"]["quote"][0]["close"] = ["CLOSE"] * len(closes)
    text = json.dumps(result)
    for close in closes:
        text = text.replace('"CLOSE"', close, 1)
    return text


@pytest.mark.parametrize(
    ("text", "close"),
    [
        ("473.6499938964844", "473.6500"),
        ("100.0999984741211", "100.1000"),
        ("10", "10.0000"),
        # half to even, by the digits that stand there
        ("1.00005", "1.0000"),
        ("1.00015", "1.0002"),
        ("1.000150000000000000000001", "1.0002"),
        ("2.5e1", "25.0000"),
        ("null", "None"),
        ("-3.5", "-3.5000"),
    ],
)
def test_the_digits_of_the_answer_are_rounded_once(text: str, close: str) -> None:
    assert str(batch(with_closes(text)).bars.value("close", 0)) == close


@pytest.mark.parametrize("text", ["1e300", "NaN", "Infinity", "-Infinity", "9" * 40, "1e-400000"])
def test_a_number_that_cannot_be_held_rejects_its_row_only(text: str) -> None:
    found = batch(with_closes("5", text, "7"))

    kept = [str(day) for day in found.bars.dates]
    if text == "1e-400000":  # a very small number is one
        assert (kept[1], found.findings) == ("2024-01-03", ())
        return
    assert kept == ["2024-01-02", "2024-01-04"]
    (finding,) = found.findings
    assert (finding.rule, finding.level, str(finding.date), finding.field) == (
        "number",
        "reject",
        "2024-01-03",
        "close",
    )


def test_a_live_price_beside_the_day_s_row() -> None:
    rows = [*ROWS, ("2024-01-03", 11.0, 12.0, 11.0, 12.0, 12.0, 5)]

    found = batch(json.dumps(answer(Fund(rows=rows))))

    assert [found.bars.value("close", row) for row in range(2)] == [10, 12]
    assert [(finding.rule, finding.level) for finding in found.findings] == [
        ("duplicate_session", "warn")
    ]


def test_a_day_that_comes_twice_and_the_same() -> None:
    found = batch(json.dumps(answer(Fund(rows=[ROWS[0], ROWS[0], ROWS[1]]))))

    assert len(found.bars) == 2
    assert [finding.level for finding in found.findings] == ["warn"]


def test_a_day_that_comes_twice_with_different_numbers() -> None:
    other = (*ROWS[0][:4], 9.5, *ROWS[0][5:])

    found = batch(json.dumps(answer(Fund(rows=[ROWS[0], other, ROWS[1]]))))

    assert [str(day) for day in found.bars.dates] == ["2024-01-03"]
    assert [str(finding) for finding in found.findings] == [
        "SPY, 2024-01-02: Yahoo gives the day twice, with different numbers"
    ]


def test_rows_out_of_order() -> None:
    found = batch(json.dumps(answer(Fund(rows=[ROWS[1], ROWS[0]]))))

    # the market's day is that of the last row here, so that the other is not known to be over
    assert [str(day) for day in found.bars.dates] == ["2024-01-02"]


def test_midnight_when_clocks_change() -> None:
    # Sao Paulo's summer time began at midnight of 2018-11-04: Yahoo's 03:00 UTC was 01:00 there,
    # and its 02:00 UTC is 23:00 of the day before
    fund = Fund(rows=[("2018-11-05", *ROWS[0][1:])], zone="America/Sao_Paulo", currency="BRL")
    result = chart_json("SPY", fund, {"period1": ["1541300000"], "period2": ["1541600000"]})
    midnight = int(dt.datetime(2018, 11, 5, 1, tzinfo=dt.UTC).timestamp())
    result["chart"]["result"][0]["timestamp"] = [midnight]

    assert chart(json.dumps(result)).dates == (dt.date(2018, 11, 5),)


def test_two_dividends_and_two_splits_of_a_day() -> None:
    fund = Fund(rows=ROWS, dividends={"2024-01-03": 0.5}, splits={"2024-01-03": (2, 1)})
    result = answer(fund)
    for events in result["chart"]["result"][0]["events"].values():
        (event,) = events.values()
        events["again"] = dict(event)

    found = batch(json.dumps(result))

    assert found.bars.value("dividend_amount", 1) == 1
    assert found.bars.value("split_ratio", 1) == 4


def test_a_third_is_kept_to_twelve_digits() -> None:
    found = batch(json.dumps(answer(Fund(rows=ROWS, splits={"2024-01-03": (1, 3)}))))

    assert found.bars.value("split_ratio", 1) == Decimal("0.333333333333")


def test_an_event_older_than_all_prices() -> None:
    rows = [("2024-02-01", *ROWS[0][1:])]

    found = batch(json.dumps(answer(Fund(rows=rows, dividends={"2024-01-05": 0.5}))))

    assert found.bars.value("dividend_amount", 0) == 0
    assert [finding.rule for finding in found.findings] == ["event_without_session"]


def test_columns_of_different_lengths() -> None:
    result = answer(Fund(rows=ROWS))
    result["chart"]["result"][0]["indicators"]["quote"][0]["low"].pop()

    with pytest.raises(MalformedAnswerError, match="has 2 days and 1 numbers of low"):
        chart(json.dumps(result))


def test_a_text_where_a_number_should_be() -> None:
    with pytest.raises(MalformedAnswerError, match="has '12' where close should be a number"):
        chart(with_closes('"12"'))


@pytest.mark.parametrize("amount", ['"0.5"', "null", "NaN", "[]"])
def test_an_event_without_amount(amount: str) -> None:
    result = answer(Fund(rows=ROWS, dividends={"2024-01-03": 0.5}))
    text = json.dumps(result).replace('"amount": 0.5', f'"amount": {amount}')

    with pytest.raises(MalformedAnswerError, match="is not a chart"):
        chart(text)


def test_a_split_into_nothing() -> None:
    result = answer(Fund(rows=ROWS, splits={"2024-01-03": (2, 0)}))

    with pytest.raises(MalformedAnswerError, match="is not a chart"):
        chart(json.dumps(result))


def test_refusals_quote_what_was_said() -> None:
    assert isinstance(refusal("X", 404, "nonsense"), SymbolNotFoundError)
    denied = refusal("X", 401, '{"finance": {"error": {"code": "U", "description": "Crumb"}}}')
    assert denied.message == "X: Yahoo refused the request (HTTP 401): Crumb"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value inside."""
    yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _paths(item, (*path, key))


WHOLE = answer(
    Fund(
        rows=ROWS,
        dividends={"2024-01-03": 0.5},
        capital_gains={"2024-01-03": 0.7},
        splits={"2024-01-03": (2, 1)},
    )
)


@settings(max_examples=400, deadline=None)
@given(path=st.sampled_from(list(_paths(WHOLE))), value=_JSON)
def test_anything_anywhere_is_read_or_an_error_of_ours(path: tuple[Any, ...], value: Any) -> None:
    changed = json.loads(json.dumps(WHOLE))
    if path:
        *way, last = path
        place = changed
        for key in way:
            place = place[key]
        place[last] = value
    else:
        changed = value
    try:
        chart_batch(chart(json.dumps(changed)), start=START)
    except ProviderError as error:
        assert error.message.startswith("SPY: ")  # noqa: PT017  # both ways are right


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_an_error_of_ours(text: str) -> None:
    with pytest.raises(MalformedAnswerError):
        chart(text)


@given(cut=st.integers(min_value=0, max_value=len(json.dumps(WHOLE)) - 1))
def test_a_cut_answer_is_never_read(cut: int) -> None:
    with pytest.raises(MalformedAnswerError) as caught:
        chart(json.dumps(WHOLE)[:cut])
    assert caught.value.transient
