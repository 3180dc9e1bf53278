"""connection_url.mjs, run by Node: what each part of a URL becomes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from etf_backtest.database.node import node_program

MODULE = "etf_backtest/database/engine/js/connection_url.mjs"
PROGRAM = """
import { connectionSettings } from %s
const read = (url) => {
  try { return connectionSettings(url) } catch (error) { return { error: error.message } }
}
console.log(JSON.stringify(JSON.parse(process.argv[1]).map(read)))
"""
URLS: list[tuple[str, dict[str, Any]]] = [
    (
        "postgresql://user:pass@host:5433/db",
        {"host": "host", "port": 5433, "user": "user", "password": "pass", "database": "db"},
    ),
    ("postgres://host", {"host": "host", "port": 5432, "database": "postgres", "user": None}),
    ("postgresql://u:p%40%2F%25%3A@h/d%20b", {"password": "p@/%:", "database": "d b"}),
    ("postgresql://u:a@b@h/d", {"password": "a@b", "host": "h"}),
    ("postgresql://u:@h/d", {"password": None}),
    ("postgresql://u@/d?host=/run/pg", {"host": "/run/pg", "user": "u", "ssl": False}),
    ("postgresql://%2Frun%2Fpg/d", {"host": "/run/pg"}),
    ("postgresql://[::1]:7/d", {"host": "::1", "port": 7, "ssl": False}),
    ("postgresql://h/d?user=u&password=p%26&port=9&dbname=e", {"user": "u", "password": "p&"}),
    (
        "postgresql://h/d?connection_limit=3&pool_timeout=0",
        {"max": 3, "connectionTimeoutMillis": 0},
    ),
    ("postgresql://h/d?connect_timeout=2", {"connectTimeoutMillis": 2000}),
    ("postgresql://h/d", {"connectTimeoutMillis": 5000, "connectionTimeoutMillis": 10000}),
    (
        'postgresql://h/d?schema=a%20"b',
        {
            "schema": 'a "b',
            "options": '-c search_path="a\\ ""b" -c TimeZone=UTC -c DateStyle=ISO,\\ MDY',
        },
    ),
    (
        "postgresql://h/d?options=-c%20geqo%3Doff",
        {"options": "-c geqo=off -c TimeZone=UTC -c DateStyle=ISO,\\ MDY"},
    ),
    # a server elsewhere is asked for TLS, one on this machine is not
    ("postgresql://h/d", {"ssl": {"rejectUnauthorized": False}, "tlsOptional": True}),
    ("postgresql://localhost/d", {"ssl": False, "tlsOptional": False}),
    (
        "postgresql://h/d?sslmode=require",
        {"ssl": {"rejectUnauthorized": False}, "tlsOptional": False},
    ),
    ("postgresql://h/d?sslmode=require&sslaccept=strict", {"ssl": {"rejectUnauthorized": True}}),
    ("postgresql://h/d?sslmode=verify-full", {"ssl": {"rejectUnauthorized": True}}),
    # Node would check the certificate against "localhost"
    (
        "postgresql://10.0.0.1/d?sslmode=verify-full",
        {"ssl": {"rejectUnauthorized": True, "host": "10.0.0.1"}},
    ),
    (
        "postgresql://h/d?pgbouncer=true&schema=public",
        {
            "preparedStatements": False,
            "options": None,
            "startup": {"TimeZone": "UTC", "DateStyle": "ISO, MDY"},
        },
    ),
    ("postgresql://h/d?statement_cache_size=0", {"preparedStatements": False}),
]
REFUSED = [
    ("postgresql://u:p/w@h/d", "one host"),
    ("postgresql://h1,h2/d", "one host"),
    ("postgresql://u:p%zz@h/d", "The password"),
    ("postgresql://h/d?sslmode=on", "sslmode"),
    ("postgresql://h/d?connection_limit=-1", "connection_limit"),
    ("postgresql://h:x/d", "one host"),
    ("postgresql://h/d?pgbouncer=true&schema=other", "schema in the database URL"),
    ("http://h/d", "expected postgresql://"),
    ("", "expected postgresql://"),
]


@pytest.fixture(scope="module")
def read(repository: Path) -> dict[str, Any]:
    """Every URL of this module, read."""
    urls = [url for url, _ in (*URLS, *REFUSED)]
    program = PROGRAM % json.dumps((repository / MODULE).as_uri())
    result = subprocess.run(
        [node_program(), "--input-type=module", "--eval", program, json.dumps(urls)],
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(zip(urls, json.loads(result.stdout), strict=True))


@pytest.mark.parametrize(("url", "expected"), URLS)
def test_settings(read: dict[str, Any], url: str, expected: dict[str, Any]) -> None:
    assert {name: read[url].get(name) for name in expected} == expected


@pytest.mark.parametrize(("url", "reason"), REFUSED)
def test_refusals_say_what_is_wrong_and_not_the_password(
    read: dict[str, Any], url: str, reason: str
) -> None:
    assert reason in read[url]["error"]
    assert "p%zz" not in read[url]["error"]
    assert "p/w" not in read[url]["error"]
