"""What every test of this folder begins with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from etf_backtest.market.bar import Bar
from etf_backtest.settings import Settings
from tests.fixtures.cluster import Cluster
from tests.fixtures.own_settings import settings_of
from tests.integration.migrations.heard import Heard

DAY = dt.date(2024, 1, 1)
SettingsFor = Callable[[str], Settings]


def bars(symbol: str, closes: list[float]) -> list[Bar]:
    """Closes of consecutive days, which are adjusted closes, too."""
    days = [DAY + dt.timedelta(n) for n in range(len(closes))]
    return [
        Bar(symbol, day, close=Decimal(str(close)), adjusted_close=Decimal(str(close)))
        for day, close in zip(days, closes, strict=True)
    ]


@pytest.fixture
def settings_for(user_home: Path) -> SettingsFor:
    """Settings whose database is the one of a URL."""

    def make(url: str) -> Settings:
        return settings_of(url, user_home)

    return make


@pytest.fixture
def heard(postgres: Cluster) -> Iterator[Heard]:
    """What commands said; at the end, that no password was."""
    heard = Heard()
    yield heard
    assert postgres.password not in heard.everything
