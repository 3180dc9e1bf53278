"""Values and frames, without a process: what is encoded can be told back, whatever it is."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etf_backtest.database.engine._frames import Operation, ReplyReader, request_frame
from etf_backtest.database.engine._results import decode_aggregates, decode_raw, decode_records
from etf_backtest.database.engine._values import ArgumentEncoder, ValueRefusedError

ALIASES = {"order_by": "orderBy", "startswith": "startsWith"}


class Json:
    """Stands for a client's `fields.Json`."""

    def __init__(self, data: object) -> None:
        self.data = data


class Base64(str):
    """Stands for a client's `fields.Base64`: its text is what counts."""

    __slots__ = ()


ENCODER = ArgumentEncoder(json_type=Json, base64_type=Base64, aliases=ALIASES)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
arguments = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20
)


def encoded(value: object) -> Any:
    return json.loads(ENCODER.text(ENCODER.argument(value), value))


def unaliased(value: Any) -> Any:
    if isinstance(value, dict):
        return {ALIASES.get(key, key): unaliased(item) for key, item in value.items()}
    return [unaliased(item) for item in value] if isinstance(value, list) else value


@given(arguments)
def test_plain_arguments_stay_what_they_are(value: Any) -> None:
    assert encoded(value) == unaliased(value)


def test_aliases_reach_every_level() -> None:
    value = {"where": {"OR": [{"name": {"startswith": "a"}}]}, "order_by": ({"a": "asc"},)}
    assert encoded(value) == {
        "where": {"OR": [{"name": {"startsWith": "a"}}]},
        "orderBy": [{"a": "asc"}],
    }


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_decimals_keep_every_digit(value: Decimal) -> None:
    assert Decimal(encoded(value)).compare_total(value) == 0
    [parameter] = json.loads(ENCODER.raw_parameters([value]))
    assert parameter["prisma__type"] == "decimal"
    assert Decimal(parameter["prisma__value"]).compare_total(value) == 0


@given(st.datetimes(timezones=st.just(dt.UTC) | st.just(dt.timezone(dt.timedelta(hours=5.75)))))
def test_times_are_cut_never_rounded(value: dt.datetime) -> None:
    read = dt.datetime.fromisoformat(encoded(value))
    assert read.utcoffset() == dt.timedelta(0)
    assert dt.timedelta(0) <= value - read < dt.timedelta(milliseconds=1)
    [parameter] = json.loads(ENCODER.raw_parameters([value]))
    assert dt.datetime.fromisoformat(parameter) == value


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_keep_every_digit(value: int) -> None:
    wire = encoded(value)
    assert (int(wire["value"]) if isinstance(wire, dict) else wire) == value
    # beyond 2**53 JavaScript's numbers have gaps
    assert isinstance(wire, dict) == (abs(value) > 2**53)
    [parameter] = json.loads(ENCODER.raw_parameters([value]))
    assert (int(parameter["prisma__value"]) if isinstance(parameter, dict) else parameter) == value


json_data = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_data.filter(lambda data: "\\ud" not in json.dumps(data)))
def test_json_travels_as_text_in_a_tag(data: Any) -> None:
    wire = encoded(Json(data))
    assert wire["$type"] == "Json"
    assert json.loads(wire["value"]) == data


@given(st.lists(texts), st.integers(0, 5), texts, texts)
def test_nul_is_refused_wherever_it_stands(
    others: list[str], place: int, before: str, after: str
) -> None:
    others.insert(place, f"{before}\0{after}")
    value = {"data": [{"name": text} for text in others]}
    with pytest.raises(ValueRefusedError, match=r"U\+0000"):
        ENCODER.text(ENCODER.argument(value), value)
    with pytest.raises(ValueRefusedError, match=r"U\+0000"):
        ENCODER.raw_parameters(others)


@pytest.mark.parametrize("text", ["\\u0000", "\\\\u0000", '"\\u0000"', "u0000"])
def test_what_only_looks_like_nul_is_sent(text: str) -> None:
    assert encoded([text]) == [text]
    assert json.loads(ENCODER.raw_parameters([text])) == [text]


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        Decimal("-Infinity"),
        2**63,
        -(2**63) - 1,
        "\ud800",
    ],
)
def test_what_cannot_be_kept_is_refused(value: object) -> None:
    with pytest.raises(ValueRefusedError):
        ENCODER.text(ENCODER.argument([value]), [value])


class Colour(StrEnum):
    RED = "red"


class Number(int):
    pass


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        (Colour.RED, "red"),
        (Number(7), 7),
        (dt.date(2024, 2, 29), "2024-02-29T00:00:00.000Z"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"\x00\xff", {"$type": "Bytes", "value": "AP8="}),
        ({1}, [1]),
        (0.1, 0.1),
    ],
)
def test_other_types(value: object, wire: object) -> None:
    assert encoded(value) == wire


def test_unknown_types_are_an_error() -> None:
    with pytest.raises(TypeError, match="not serializable"):
        ENCODER.argument({"a": [object()]})
    with pytest.raises(TypeError, match="Type <class 'int'> not serializable"):
        ENCODER.argument(Json({"a": int}))


TAGS: dict[str, tuple[str, object]] = {
    "Decimal": ("1.10", Decimal("1.10")),
    "BigInt": ("9007199254740993", 2**53 + 1),
    "DateTime": ("2024-02-29T00:00:00.123Z", dt.datetime(2024, 2, 29, 0, 0, 0, 123000, dt.UTC)),
    "Json": ('{"$type":"BigInt"}', {"$type": "BigInt"}),
    "Bytes": ("AP8=", "AP8="),
}
tags = st.sampled_from([{"$type": kind, "value": text} for kind, (text, _) in TAGS.items()])
records = st.recursive(
    st.dictionaries(
        texts.filter(lambda t: t != "$type"), scalars | tags | st.lists(tags) | st.lists(texts)
    ),
    lambda inner: st.dictionaries(
        texts.filter(lambda t: t != "$type"), inner | st.lists(inner) | scalars
    ),
    max_leaves=8,
)


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        if "$type" in value:
            return value["value"]
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@given(st.none() | records | st.lists(records))
def test_records_lose_their_tags_and_nothing_else(result: Any) -> None:
    reply = json.dumps({"data": {"findManyX": result}}).encode()
    assert decode_records(reply) == plain(result)


def test_aggregates_get_their_types() -> None:
    group = {
        "by": {"$type": "DateTime", "value": TAGS["DateTime"][0]},
        "ratio": 2,
        "number": 2,
        "_count": {"_all": 3, "ratio": 2},
        "_avg": {"number": 2, "ratio": None},
        "_sum": {"number": 4, "ratio": 4, "amount": {"$type": "Decimal", "value": "1.10"}},
        "_max": {"json": {"$type": "Json", "value": "[1]"}},
    }
    [read] = decode_aggregates(json.dumps({"data": {"x": [group]}}).encode(), frozenset({"ratio"}))
    assert read == {
        "by": TAGS["DateTime"][1],
        "ratio": 2.0,
        "number": 2,
        "_count": {"_all": 3, "ratio": 2},
        "_avg": {"number": 2.0, "ratio": None},
        "_sum": {"number": 4, "ratio": 4.0, "amount": Decimal("1.10")},
        "_max": {"json": [1]},
    }
    assert [type(read["ratio"]), type(read["_avg"]["number"]), type(read["_count"]["ratio"])] == [
        float,
        float,
        int,
    ]


def test_raw_numerics_stay_exact_and_objects_stay_objects() -> None:
    result = {
        "columns": ["n", "l", "b", "j"],
        "types": ["decimal", "decimal-array", "bigint-array", "json"],
        "rows": [
            ["1.10", ["0.1", None], ["1", None], {"$type": "BigInt", "value": "1"}],
            [None, None, None, None],
        ],
    }
    reply = json.dumps({"data": {"queryRaw": result}}).encode()
    read = decode_raw(reply, for_model=False)
    assert read["types"] == ["string", "string-array", "string-array", "json"]
    assert read["rows"] == [
        [Decimal("1.10"), [Decimal("0.1"), None], [1, None], {"$type": "BigInt", "value": "1"}],
        [None, None, None, None],
    ]
    read = decode_raw(reply, for_model=True)
    assert read["types"][-1] == "string"
    assert read["rows"][0][-1] == '{"$type": "BigInt", "value": "1"}'
    assert decode_raw(b'{"data":{"executeRaw":7}}', for_model=False) == 7


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2), st.binary())),
    st.lists(st.integers(1, 50)),
)
def test_frames_may_be_cut_anywhere(frames: list[tuple[int, int, bytes]], cuts: list[int]) -> None:
    stream = b"".join(
        (5 + len(payload)).to_bytes(4) + number.to_bytes(4) + bytes([status]) + payload
        for number, status, payload in frames
    )
    reader = ReplyReader()
    read: list[tuple[int, int, bytes]] = []
    for size in [*cuts, len(stream)]:
        read += reader.feed(stream[:size])
        stream = stream[size:]
    assert read == frames


def test_a_frame_whose_handling_failed_does_not_come_again() -> None:
    frames = [(number, 0, b"x" * number) for number in (1, 2, 3)]
    stream = b"".join(
        (5 + number).to_bytes(4) + number.to_bytes(4) + bytes([status]) + payload
        for number, status, payload in frames
    )
    reader = ReplyReader()
    read: list[tuple[int, int, bytes]] = []

    def handle(data: bytes) -> None:
        for frame in reader.feed(data):
            read.append(frame)
            if frame[0] == 2:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        handle(stream)
    handle(b"")
    assert read == frames


def test_a_request_is_one_frame() -> None:
    frame = request_frame(7, Operation.QUERY, b"{}", "tx")
    assert frame == b"\x00\x00\x00\x0a" + b"\x00\x00\x00\x07" + b"\x01" + b"\x02" + b"tx" + b"{}"
