"""Which line of a server's log is the reason: logs that PostgreSQL 18 wrote, shortened."""

from __future__ import annotations

import pytest

from etf_backtest.database.postgres.server_log import reason

AT = "2026-11-22 14:21:13.302 UTC [8345] "


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            # initdb on a disk of 20 MB
            [
                "creating configuration files ... ok",
                "running bootstrap script ... "
                f'{AT}FATAL:  could not extend file "base/1/2691": No space left on device',
                f"{AT}PANIC:  cannot abort transaction 1, it was already committed",
                "child process exited with exit code 134",
            ],
            'could not extend file "base/1/2691": No space left on device',
        ),
        (
            [
                f"{AT}FATAL:  the first error",
                f'{AT}LOG:  could not write temporary statistics file "a": No space left on device',
            ],
            'could not write temporary statistics file "a": No space left on device',
        ),
        (
            ['initdb: error: could not write file "x": No space left on device'],
            'could not write file "x": No space left on device',
        ),
        ([f"{AT}LOG:  starting", f"{AT}FATAL:  cause", f"{AT}PANIC:  sequel"], "cause"),
        (
            # a client came while the server was starting
            [f"{AT}FATAL:  the database system is starting up", f"{AT}PANIC:  cause"],
            "cause",
        ),
        (["initdb: error: cause", "initdb: removing data directory"], "cause"),
        (["one", "Segmentation fault ", ""], "Segmentation fault"),
        ([], "it said nothing"),
    ],
)
def test_the_reason_in_a_log(lines: list[str], expected: str) -> None:
    assert reason("\n".join(lines)) == expected
