"""Cash flows, numbers and rates as people type them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from etf_backtest.cli.rule_texts import parse_cash_flow, parse_number, parse_rate
from etf_backtest.errors import EtfBacktestError, InvalidParametersError, RateError
from etf_backtest.simulation import CashFlow


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-500 monthly", CashFlow(amount=-500, every="monthly")),
        ("-1% annual", CashFlow(percent=-0.01, every="annual")),
        ("1000 on 2020-03-02", CashFlow(amount=1000, on=dt.date(2020, 3, 2))),
        ("-2000 Monthly Inflation 2.5%", CashFlow(amount=-2000, every="monthly", inflation=0.025)),
        (
            " +1e3  weekly from 2020-01-01 to 2020-12-31 offset 2 inflation 0.02",
            CashFlow(
                amount=1000,
                every="weekly",
                start=dt.date(2020, 1, 1),
                end=dt.date(2020, 12, 31),
                offset=2,
                inflation=0.02,
            ),
        ),
    ],
)
def test_a_flow_in_words(text: str, expected: CashFlow) -> None:
    assert CashFlow.model_validate(parse_cash_flow(text)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty: expected AMOUNT"),
        ("much monthly", "'much' is not a number"),
        ("1e999 monthly", "'1e999' is not a number"),
        ("nan monthly", "'nan' is not a number"),
        ("٣ monthly", "is not a number"),
        ("5", "does not say when"),
        ("5 from 2020-01-01", "does not say when"),
        ("5 hourly", "'hourly' is not understood: expected AMOUNT"),
        ("5 yearly", "'yearly' is not understood: did you mean annual"),
        ("5 monthly daily", "every is given twice"),
        ("5 on 2020-01-01 on 2020-01-02", "on is given twice"),
        ("5 on", "nothing follows 'on'"),
        ("5 on 20200302", "'20200302' is not a date like"),
        ("5 on tomorrow", "'tomorrow' is not a date like"),
        ("5 monthly offset 1.5", "'1.5' is no number of sessions"),
        ("5 monthly offset -1", "'-1' is no number of sessions"),
        ("5 monthly inflation much", "'much' is not a number"),
        # what only the model knows
        ("5 monthly on 2020-01-01", "expected either every"),
        ("5% monthly inflation 2%", "inflation belongs to an amount"),
        ("5 on 2020-02-30", "on: .2020-02-30. is not a date"),
        ("-200% monthly", "percent: input should be greater"),
        ("5 monthly offset 999", "offset: input should be less"),
    ],
)
def test_words_that_are_no_flow(text: str, message: str) -> None:
    with pytest.raises(InvalidParametersError, match=message):
        CashFlow.model_validate(parse_cash_flow(text))


def test_percent_is_exact() -> None:
    """0.7 / 100 is not 0.007 in binary, but the decimal 0.007 is the nearest float to itself."""
    assert parse_number("0.7%", "--x") == 0.007
    assert parse_number("0.0945%", "--x") == 0.000945
    assert parse_number("-1_000.5", "--x") == -1000.5


@pytest.fixture
def rates(tmp_path: Path) -> Path:
    path = tmp_path / "rates.csv"
    path.write_text("date,rate\n2020-03-16,0.0025\n2019-01-02,0.024\n\n")
    return path


def test_a_rate_is_a_number_or_a_file(rates: Path) -> None:
    assert parse_rate("2%", "--cash-rate") == 0.02
    assert parse_rate(str(rates), "--cash-rate") == {"2019-01-02": 0.024, "2020-03-16": 0.0025}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "rates.csv: the columns are missing"),
        ("day,rate\n", "rates.csv: the columns are day,rate"),
        ("date,rate\n", "rates.csv: there are no rates"),
        ("date,rate\n2020-01-01\n", "rates.csv: row 2: '2020-01-01' is no date and rate"),
        ("date,rate\n1.1.2020,0.1\n", "rates.csv: row 2"),
        ("date,rate\n20200101,0.1\n", "rates.csv: row 2"),
        ("date,rate\n2020-01-01,x\n", "rates.csv: row 2"),
        ("date,rate\n2020-01-01,0.1\n2020-01-01,0.2\n", "row 3: 2020-01-01 is there twice"),
        ("date,rate\n2020-01-01,2.5\n", "rates.csv: the rate on 2020-01-01 is 2.5"),
        ("date,rate\n2020-01-01,nan\n", "rates.csv: the rate on 2020-01-01 is nan"),
    ],
)
def test_files_that_hold_no_rates(rates: Path, content: str, message: str) -> None:
    rates.write_text(content)
    with pytest.raises(RateError, match=message):
        parse_rate(str(rates), "--cash-rate")


def test_files_that_cannot_be_read(rates: Path) -> None:
    rates.write_bytes(b"date,rate\n2020-01-01,\xff\n")
    with pytest.raises(RateError, match=r"rates\.csv: is not UTF-8 \(byte 22\)"):
        parse_rate(str(rates), "--cash-rate")
    for text, message in (
        (str(rates.parent / "other.csv"), "other.csv: cannot be read: No such file"),
        ("two percent", "--cash-rate: 'two percent' is neither a number"),
    ):
        with pytest.raises(EtfBacktestError, match=message):
            parse_rate(text, "--cash-rate")
