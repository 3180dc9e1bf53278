"""The panel cache: what comes out went in, damage is noticed, and the folder stays small."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etf_backtest.database.panel_cache import PanelCache, panel_key
from etf_backtest.database.price_store import DataState, SymbolState
from etf_backtest.market import PriceBasis, PricePanel, PriceSeries

DATES = np.arange("2024-01-02", "2024-01-12", dtype="datetime64[D]")
ROOMY = 10**6


def made(count: int = 10, *, value: float = 1.0) -> PricePanel:
    """Two symbols, the second without quotes and without its first session."""
    closes = np.asarray(value * (100.0 + np.arange(count)), dtype=np.float64)
    dates = DATES[:count]
    dividends = np.where(np.arange(count) == 3, 0.25, 0.0)
    traded = PriceSeries.from_closes(
        "A", dates, closes, dividends=dividends, splits=np.ones(count), split_adjusted=False
    )
    return PricePanel.from_series(
        (traded, PriceSeries("B", dates[1:], closes[1:], PriceBasis.ADJUSTED_CLOSE))
    )


def test_a_panel_comes_back_as_it_was(tmp_path: Path) -> None:
    cache = PanelCache(tmp_path / "panels", ROOMY)
    panel = made()
    assert cache.get("k") is None
    assert cache.put("k", panel, {"notes": ["one"]})
    found = cache.get("k")
    assert found is not None
    assert found.notes == {"notes": ["one"]}
    assert found.panel.fingerprints() == panel.fingerprints()
    assert found.panel.symbols == panel.symbols
    assert found.panel.basis == panel.basis
    assert found.panel.dates.dtype == panel.dates.dtype
    assert found.panel.dates.tolist() == panel.dates.tolist()
    np.testing.assert_array_equal(found.panel.prices, panel.prices)
    assert panel.quotes is not None
    assert found.panel.quotes is not None
    for name in ("closes", "dividends", "splits"):
        np.testing.assert_array_equal(
            getattr(found.panel.quotes, name), getattr(panel.quotes, name)
        )
    assert not found.panel.prices.flags.writeable
    assert not found.panel.prices.flags.owndata  # they are the file's


def test_splices_come_back(tmp_path: Path) -> None:
    cache = PanelCache(tmp_path, ROOMY)
    panel = made().spliced("B", before="A", annual_fee=0.001, date=dt.date(2024, 1, 5))
    assert cache.put("k", panel)
    found = cache.get("k")
    assert found is not None
    assert found.panel.splices == panel.splices


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200
)
@given(data=st.data())
def test_no_damaged_file_is_taken_for_a_panel(tmp_path: Path, data: st.DataObject) -> None:
    cache = PanelCache(tmp_path, ROOMY)
    cache.put("k", made())
    (path,) = tmp_path.glob("*.panel")
    whole = path.read_bytes()
    if data.draw(st.booleans()):
        damaged = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        place, change = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(1, 255))
        damaged = whole[:place] + bytes([whole[place] ^ change]) + whole[place + 1 :]
    path.write_bytes(damaged)
    assert cache.get("k") is None
    assert damaged == b"" or not path.exists()
    assert cache.put("k", made())
    assert cache.get("k") is not None


def test_what_was_used_longest_ago_makes_room(tmp_path: Path) -> None:
    cache = PanelCache(tmp_path, ROOMY)
    cache.put("size", made())
    size = next(tmp_path.glob("*.panel")).stat().st_size
    cache.clear()
    cache = PanelCache(tmp_path, 3 * size)
    for age, key in ((30, "a"), (20, "b"), (10, "c")):
        cache.put(key, made())
        then = (tmp_path / f"{key}.panel").stat().st_mtime - age
        os.utime(tmp_path / f"{key}.panel", (then, then))
    assert cache.get("a") is not None  # now the latest
    cache.put("d", made())
    assert {path.stem for path in tmp_path.iterdir()} == {"a", "c", "d"}


def test_a_panel_that_does_not_fit_is_not_kept_and_0_keeps_none(tmp_path: Path) -> None:
    assert not PanelCache(tmp_path, 100).put("k", made())
    assert not PanelCache(tmp_path, 0).put("k", made())
    assert PanelCache(tmp_path, 0).get("k") is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("not a folder")
    assert not PanelCache(place / "panels", ROOMY).put("k", made())
    assert PanelCache(place / "panels", ROOMY).get("k") is None


def test_unfinished_files_of_killed_processes_are_removed(tmp_path: Path) -> None:
    old, new = tmp_path / "old.unfinished", tmp_path / "new.unfinished"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    PanelCache(tmp_path, ROOMY).put("k", made())
    assert not old.exists()
    assert new.exists()


WORK = """
import sys
from pathlib import Path
from tests.unit.database.test_panel_cache import made
from etf_backtest.database.panel_cache import PanelCache
cache = PanelCache(Path(sys.argv[1]), 5000)
for number in range(300):
    key = str(number % 7)
    found = cache.get(key)
    if found is None:
        cache.put(key, made(value=1.0 + number % 7))
    else:
        assert found.panel.prices[0, 0] == 100.0 * (1 + number % 7), key
"""


def test_processes_share_a_folder_that_is_too_small_for_them(tmp_path: Path) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", WORK, str(tmp_path)], stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in running:
        _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 5000


STATE = DataState(2, {"A": SymbolState(1, "id-1"), "B": SymbolState(2, "id-2")})


@pytest.mark.parametrize(
    ("state", "symbols", "about"),
    [
        (STATE, ("B", "A"), None),
        (STATE, ("A", "B"), {"proxies": False}),
        (DataState(2, {**STATE.symbols, "B": SymbolState(2, "other")}), ("A", "B"), None),
    ],
)
def test_whatever_a_panel_is_made_of_is_in_its_key(
    state: DataState, symbols: tuple[str, ...], about: dict[str, bool] | None
) -> None:
    assert panel_key(state, symbols, about) != panel_key(STATE, ("A", "B"))


def test_changes_of_other_symbols_leave_the_key() -> None:
    assert panel_key(DataState(9, STATE.symbols), ("A", "B")) == panel_key(STATE, ("A", "B"))
