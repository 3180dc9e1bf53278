"""What the options of a run mean: numbers, rates and cash flows as people type them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from etf_backtest.errors import InvalidParametersError
from etf_backtest.services.written import NUMBER, as_number, meant

PERIODS = ("daily", "weekly", "monthly", "quarterly", "semiannual", "annual")
FLOW_FORM = (
    "AMOUNT[%] PERIOD, or AMOUNT[%] on DATE; then inflation RATE, from DATE, to DATE, offset N; "
    "such as '-500 monthly' or '-1% annual from 2020-01-01'"
)
Fields: TypeAlias = dict[str, object]

_FIELDS = {
    "on": "on",
    "from": "start",
    "to": "end",
    "inflation": "inflation",
    "offset": "offset",
}
"""Words of a flow that are followed by a value, and what CashFlow calls it."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_COUNT = re.compile(r"\d{1,3}", re.ASCII)


def parse_number(text: str, option: str) -> float:
    """A number such as 0.005 or 0.5%, which is the same.

    Raises
    ------
    InvalidParametersError
        It is neither, or too large to be a number.
    """
    value = as_number(text)
    if value is None:
        raise InvalidParametersError(option, [f"{text!r} is not a number such as 0.02 or 2%"])
    return value


def parse_rate(text: str, option: str) -> float | dict[str, float]:
    """An annual rate: a number, or the name of a CSV file of dates and rates.

    Raises
    ------
    InvalidParametersError, RateError
        It is neither, or the file has a row that cannot be used.
    """
    if NUMBER.fullmatch(text) is not None:
        return parse_number(text, option)
    if not Path(text).exists() and Path(text).suffix.lower() != ".csv":
        raise InvalidParametersError(
            option, [f"{text!r} is neither a number such as 0.02 or 2% nor a CSV file of date,rate"]
        )
    from etf_backtest.services.rates_file import read_rates

    return read_rates(Path(text)).to_dict()


def parse_assignment(text: str, option: str, example: str) -> tuple[str, str]:
    """KEY=VALUE.

    Raises
    ------
    InvalidParametersError
        It has another form.
    """
    key, equals, value = text.partition("=")
    if not (key.strip() and equals and value.strip()):
        raise InvalidParametersError(option, [f"{text!r}: expected {example}"])
    return key.strip(), value.strip()


def parse_cash_flow(text: str, option: str = "--cash-flow") -> Fields:
    """The fields of a CashFlow from words; see FLOW_FORM.

    Raises
    ------
    InvalidParametersError
        A word is not understood, or something is missing.
    """
    words = text.split()
    if not words:
        raise InvalidParametersError(option, [f"it is empty: expected {FLOW_FORM}"])
    size = parse_number(words[0], option)
    fields: Fields = {"percent" if words[0].endswith("%") else "amount": size}
    rest = words[1:]
    while rest:
        key, value, rest = _next_word(text, rest, option)
        if key in fields:
            raise InvalidParametersError(option, [f"{text!r}: {key} is given twice"])
        fields[key] = value
    if not {"every", "on"} & fields.keys():
        raise InvalidParametersError(option, [f"{text!r} does not say when: expected {FLOW_FORM}"])
    return fields


def _next_word(text: str, words: Sequence[str], option: str) -> tuple[str, object, list[str]]:
    """Field and value that the next one or two words say, and the words after them."""
    word, *rest = words
    if word.lower() in PERIODS:
        return "every", word.lower(), rest
    if word.lower() not in _FIELDS:
        near = meant(word, (*PERIODS, *_FIELDS))
        raise InvalidParametersError(
            option, [f"{text!r}: {word!r} is not understood: {near or f'expected {FLOW_FORM}'}"]
        )
    if not rest:
        raise InvalidParametersError(option, [f"{text!r}: nothing follows {word!r}"])
    field, value = _FIELDS[word.lower()], rest[0]
    if field == "inflation":
        return field, parse_number(value, option), rest[1:]
    if field == "offset" and _COUNT.fullmatch(value) is None:
        raise InvalidParametersError(option, [f"{text!r}: {value!r} is no number of sessions"])
    if field != "offset" and _DATE.fullmatch(value) is None:
        raise InvalidParametersError(option, [f"{text!r}: {value!r} is not a date like 2020-01-31"])
    return field, value, rest[1:]
