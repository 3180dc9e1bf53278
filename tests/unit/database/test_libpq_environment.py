"""A URL in libpq's words; expected names are those of its documentation (libpq-envars)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from etf_backtest.database.backup.libpq import libpq_environment
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import DatabaseUrlError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "postgresql://ada:p@h.example:5433/etf?application_name=x&connect_timeout=3"
            "&options=-c%20work_mem%3D1MB&schema=mine",
            {
                "PGHOST": "h.example",
                "PGPORT": "5433",
                "PGUSER": "ada",
                "PGDATABASE": "etf",
                "PGAPPNAME": "x",
                "PGCONNECT_TIMEOUT": "3",
                "PGOPTIONS": "-c work_mem=1MB",
                "PGSSLMODE": "prefer",
            },
        ),
        (
            "postgresql://ada@localhost/etf?host=/run/postgresql",
            {"PGHOST": "/run/postgresql", "PGSSLMODE": "disable"},
        ),
        ("postgresql://ada@127.0.0.1/etf", {"PGSSLMODE": "disable"}),
        (
            "postgresql://ada@h/etf?sslmode=verify-full&sslrootcert=/ca.crt&sslkey=/k&sslcert=/c",
            {
                "PGSSLMODE": "verify-full",
                "PGSSLROOTCERT": "/ca.crt",
                "PGSSLKEY": "/k",
                "PGSSLCERT": "/c",
            },
        ),
        # Prisma's words
        (
            "postgresql://ada@h/etf?sslmode=require&sslcert=/ca.crt&sslaccept=strict",
            {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/ca.crt"},
        ),
    ],
)
def test_parameters(text: str, expected: dict[str, str]) -> None:
    with libpq_environment(DatabaseUrl.parse(text)) as environment:
        assert environment.items() >= expected.items()
        assert "PGPASSWORD" not in environment


def test_what_the_users_own_variables_say_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", "disable")
    monkeypatch.setenv("PGOPTIONS", "-c search_path=other")
    monkeypatch.setenv("DATABASE_URL", "postgresql://x:secret@h/etf")
    with libpq_environment(DatabaseUrl.parse("postgresql://ada@h/etf")) as environment:
        assert environment["PGSSLMODE"] == "prefer"
        assert "PGOPTIONS" not in environment
        assert "secret" not in str(environment)


def test_secrets_are_in_files_that_go() -> None:
    url = "postgresql://ada:a%3Ab%5Cc@h/etf?sslmode=require&sslkey=/k&sslpassword=of%20key"
    with libpq_environment(DatabaseUrl.parse(url)) as environment:
        files = [Path(environment[name]) for name in ("PGPASSFILE", "PGSERVICEFILE")]
        assert files[0].read_text() == "*:*:*:*:a\\:b\\\\c\n"
        assert files[1].read_text() == "[etf_backtest]\nsslpassword=of key\n"
        assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]
        assert "of key" not in str(environment)
    assert not any(file.parent.exists() for file in files)


def test_a_line_break_would_be_another_line() -> None:
    url = DatabaseUrl.parse("postgresql://ada:x@h/etf")
    with (
        pytest.raises(DatabaseUrlError, match="its password has a line break"),
        libpq_environment(replace(url, password="a\n*:*:*:*:b")),
    ):
        pass
