"""`db backup`, `db restore`, `db doctor` and `db explain` as people call them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.acceptance.cli.conftest import RunCli
from tests.fixtures.cluster import Cluster


def test_backup_and_restore(
    cli: RunCli, database_url: str, empty_database: str, postgres: Cluster, tmp_path: Path
) -> None:
    file = tmp_path / "etf.dump"
    postgres.execute(
        "INSERT INTO users (email, password_hash) VALUES ('ada@example.org', 'x')",
        database=database_url.rpartition("/")[2],
    )
    ran = cli("db", "backup", str(file))
    assert ran.out == f"{file}\n"
    assert "1 rows of 16 tables in" in ran.err

    again = cli("db", "backup", str(file), code=1)
    assert f"error: {file}: is there already -> give another name" in again.err
    refused = cli("db", "restore", str(file), code=1)
    assert "is not empty: there are tables in 'public' -> say --yes" in refused.err

    missing = cli("db", "restore", "nowhere", code=1)
    assert "No such file or directory -> give the file that etf-backtest db backup wrote" in (
        missing.err
    )

    restored = cli("db", "restore", str(file), "--json", url=empty_database)
    assert re.search(r"of its manifest, of \d{4}-\d\d-\d\d \d\d:\d\d UTC\n", restored.err)
    assert (restored.data["rows"], restored.data["verified"]) == (1, True)
    assert restored.data["kept"] is None
    assert "migrate deploy" in restored.err  # the template has no table of Prisma's
    assert postgres.password not in restored.out + restored.err


def test_doctor_and_explain(cli: RunCli, empty_database: str) -> None:
    unwell = cli("db", "doctor", "--quick", url=empty_database, code=1)
    assert "there are none of ours in the schema 'public' -> etf-backtest migrate deploy" in (
        unwell.out
    )
    assert "etf-backtest 0.1.0, PostgreSQL 18" in unwell.out
    found = cli("db", "doctor", "--quick", "--json", code=1).data
    assert [f["check"] for f in found["findings"] if f["severity"] == "error"] == ["migrations"]

    plan = cli("db", "explain", "next-backtests", "--analyze")
    assert "\n0 rows in " in plan.out
    assert "the next backtests to run: SELECT id FROM backtests" in plan.err
    assert "holders-of-symbol" in cli("db", "explain").out
    unknown = cli("db", "explain", "everything", code=2)
    assert "no query of the application is called 'everything' -> one of user-port" in unknown.err
