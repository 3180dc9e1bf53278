"""Parameters and rules that are made to take all time or memory: a line, at once."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from etf_backtest.errors import InvalidParametersError, RateError
from etf_backtest.services.plain_data import (
    DEEPEST,
    MOST_VALUES,
    UnboundedDataError,
    check_bounds,
    parse_json,
    parse_toml,
)
from etf_backtest.services.rates_file import read_rates
from etf_backtest.services.rules_file import read_rules
from tests.acceptance.cli.conftest import RunCli
from tests.acceptance.hostile.conftest import NAME, the_line
from tests.fixtures.cluster import Cluster

DEEP = f"nested deeper than {DEEPEST} levels"
MANY = f"more than {MOST_VALUES:,} values"
JSON = {
    "lists": ("[" * 100_000, DEEP),
    "closed lists": ("[" * 100_000 + "]" * 100_000, DEEP),
    "within what Python reads": ('{"a":' * 500 + "1" + "}" * 500, DEEP),
    "tables": ('{"a":' * 100_000, DEEP),
    "a million values": ("[" + "1," * 999_999 + "1]", MANY),
    "a name twice": ('{"lag": 1, "lag": 2}', "the name 'lag' twice"),
    "9 MB": ('"' + "x" * 9_000_000 + '"', "longer than 8 MB"),
}
TOML = {
    "lists": ("a = " + "[" * 100_000, DEEP),
    "inline tables": ("a = " + "{a=" * 100_000, DEEP),
    "a long name": (".".join("a" * 100_000) + " = 1", DEEP),
    "a long name in quotes": (".".join(['"a b"'] * 50_000) + " = 1", DEEP),
    "a long header": ("[" + " . ".join("a" * 100_000) + "]", DEEP),
    "a name twice": ("lag = 1\nlag = 2\n", "overwrite a value"),
    "a huge number": ("lag = " + "9" * 100_000, "4300 digits"),
}


@pytest.fixture(autouse=True)
def at_once() -> Iterator[None]:
    start = time.process_time()
    yield
    assert time.process_time() - start < 5


@pytest.mark.parametrize(("text", "message"), JSON.values(), ids=JSON)
def test_json_is_bounded(text: str, message: str) -> None:
    with pytest.raises(UnboundedDataError, match=message):
        parse_json(text)


@pytest.mark.parametrize(("text", "message"), TOML.values(), ids=TOML)
def test_toml_is_bounded(text: str, message: str, user_home: Path) -> None:
    with pytest.raises(ValueError, match=message):
        parse_toml(text)
    path = user_home / "rules.toml"
    path.write_text(text)
    with pytest.raises(InvalidParametersError, match=r"rules\.toml: cannot be understood"):
        read_rules(path)


def test_twenty_thousand_unknown_names_are_counted(user_home: Path) -> None:
    path = user_home / "rules.toml"
    path.write_text("".join(f"k{n} = 1\n" for n in range(20_000)))
    with pytest.raises(InvalidParametersError, match=r"k0: unknown key.*and 19,980 more"):
        read_rules(path)


def test_what_is_in_bounds_is_taken() -> None:
    data = {"rate": {f"d{n}": 0.01 for n in range(36_525)}, "text": "a.b" * 100}
    check_bounds(data)
    assert parse_toml("x.y.z = 1\nt = 'a.b.c.d'\n") == {"x": {"y": {"z": 1}}, "t": "a.b.c.d"}
    assert parse_json('{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}


SETTINGS = {
    "deep": ("[" * 100_000, "--set: look_back: it is " + DEEP),
    "twice": ('{"a":1,"a":2}', "--set: look_back: it has the name 'a' twice"),
    "1e400": ("1e400", "look_back: input should be a finite number"),
    "NaN": ("NaN", "look_back: input should be a"),
    "digits": ("9" * 100_000, "look_back: unable to parse input string as an integer"),
}


@pytest.mark.parametrize(("value", "message"), SETTINGS.values(), ids=SETTINGS)
def test_parameters_on_the_command_line(cli: RunCli, value: str, message: str) -> None:
    ran = cli("strategy", "create", "s", "-t", "momentum", "--set", f"look_back={value}", code=2)
    assert message in the_line(ran.err)


@pytest.mark.parametrize("name", ["rules.toml", "rules.json"])
def test_a_rule_file_that_is_something_else(user_home: Path, name: str) -> None:
    path = user_home / name
    for content, message in (
        (b"\x80\x04\x95\x10", "is a Python pickle, which is never read"),
        (b"cos\nsystem\n(S'true'\ntR.", "is a Python pickle"),
        (b"PK\x03\x04", "is a ZIP archive"),
        (b"\x1f\x8b\x08", "is packed by gzip"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"# " + b"x" * 9_000_000, "is larger than 8 MB"),
        (b"lag = \xff", "is not UTF-8"),
    ):
        path.write_bytes(content)
        with pytest.raises(InvalidParametersError, match=message):
            read_rules(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InvalidParametersError, match="is not a regular file"):
        read_rules(path)


def test_a_device_is_no_file_of_rates(user_home: Path) -> None:
    (user_home / "rates.csv").symlink_to("/dev/zero")
    with pytest.raises(RateError, match="not a regular file"):
        read_rates(user_home / "rates.csv")


ROWS = {
    "nested 4,000 deep": (
        "('{\"look_back\":' || repeat('[', 4000) || repeat(']', 4000) || '}')::jsonb"
    ),
    "a number of 100,001 digits": "'{\"look_back\":1e100000}'::jsonb",
    "beyond a float": "'{\"look_back\":1e400}'::jsonb",
    "20,000 names": "(SELECT jsonb_object_agg('k' || i, i) FROM generate_series(1, 20000) i)",
    "escapes": '\'{"a\\u202eb":"\\u001b[31m"}\'::jsonb',
}


@pytest.mark.parametrize("value", ROWS.values(), ids=ROWS)
def test_parameters_that_sql_has_written(cli: RunCli, postgres: Cluster, value: str) -> None:
    """A clear line from the run, and whatever is shown is printable and bounded."""
    postgres.execute(
        "INSERT INTO strategies (id, name, type, parameters, is_system, updated_at) VALUES"
        f" (gen_random_uuid(), 's', 'momentum', {value}, true, now())",
        database=NAME,
    )
    try:
        ran = run_any(cli, "strategy", "show", "s")
    finally:
        postgres.execute("DELETE FROM strategies", database=NAME)
    assert len(ran) < 50_000
    assert all(line.strip().isprintable() for line in ran.splitlines())
    assert "internal error" not in ran


def run_any(cli: RunCli, *arguments: str) -> str:
    """What a command says, whatever its code is."""
    try:
        ran = cli(*arguments)
    except AssertionError as other:  # "(arguments): code", and what was said
        return str(other).partition("\n")[2].partition("\nassert ")[0]
    return ran.out + ran.err
