"""Proxies on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.cli.conftest import RunCli

CLOSES = """date,OLD,NEW
2024-01-02,100,
2024-01-03,101,
2024-01-04,102,50
2024-01-05,103,51
"""


@pytest.mark.parametrize(
    ("fee", "stored", "doubted"),
    [("0.05%", "0.0005", False), ("0.0005", "0.0005", False), ("0.05", "0.05", True)],
)
def test_a_fee_of_percents_without_the_sign_is_doubted(
    cli: RunCli, user_home: Path, fee: str, stored: str, doubted: bool
) -> None:
    (user_home / "closes.csv").write_text(CLOSES)
    cli("prices", "import", "closes.csv", "--field", "adjusted_close")
    ran = cli("etf", "splice", "new", "--before", "old", "--fee", fee, "--json")
    assert float(ran.data["annual_fee"]) == float(stored)
    doubt = "the fee 0.05 is 5.00% a year; write 0.05% if that was meant"
    assert (doubt in " ".join(ran.err.split())) is doubted
