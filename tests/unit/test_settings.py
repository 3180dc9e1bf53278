"""Settings: what goes before what, and that no secret is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from etf_backtest.errors import SettingsError
from etf_backtest.settings import load_settings

URL = "postgresql://someone:hunter2@db.example/etf"


def test_without_anything_the_embedded_server_in_the_users_folders(user_home: Path) -> None:
    settings = load_settings({}, directory=user_home)
    assert settings.database_url is None
    assert settings.database_url_source == "embedded"
    assert settings.data_dir == user_home / ".local/share/etf-backtest"
    assert settings.cache_dir == user_home / ".cache/etf-backtest"


def test_the_environment_goes_before_the_file(user_home: Path) -> None:
    (user_home / ".env").write_text(f"DATABASE_URL={URL}\nETF_BACKTEST_DATA_DIR=/from/file\n")
    from_file = load_settings({}, directory=user_home)
    assert from_file.database_url is not None
    assert from_file.database_url.get_secret_value() == URL
    assert from_file.database_url_source == ".env"
    assert from_file.data_dir == Path("/from/file")
    both = load_settings({"DATABASE_URL": "postgres://other"}, directory=user_home)
    assert both.database_url is not None
    assert both.database_url.get_secret_value() == "postgres://other"
    assert both.database_url_source == "environment"


def test_empty_means_not_set(user_home: Path) -> None:
    assert load_settings({"DATABASE_URL": ""}, directory=user_home).database_url is None


def test_only_the_given_directory_is_looked_at_for_a_file(user_home: Path) -> None:
    (user_home / ".env").write_text(f"DATABASE_URL={URL}\n")
    below = user_home / "below"
    below.mkdir()
    assert load_settings({}, directory=below).database_url is None


def test_the_password_is_in_no_message_and_no_repr(user_home: Path) -> None:
    assert "hunter2" not in repr(load_settings({"DATABASE_URL": URL}, directory=user_home))
    wrong = URL.replace("postgresql", "mysql")
    with pytest.raises(SettingsError, match="must start with postgresql://") as caught:
        load_settings({"DATABASE_URL": wrong}, directory=user_home)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_settings_are_frozen(user_home: Path) -> None:
    settings = load_settings({}, directory=user_home)
    with pytest.raises(ValueError, match="frozen"):
        settings.data_dir = Path("/elsewhere")  # type: ignore[misc]  # that it is refused is the test
