"""Settings: what goes before what, and that no secret is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from etf_backtest.errors import SettingsError
from etf_backtest.settings import Limits, load_settings

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


def test_the_file_of_the_project_holds_in_its_folders_and_nowhere_else(user_home: Path) -> None:
    (user_home / ".env").write_text("DATABASE_URL=postgresql://above/the_project\n")
    below = user_home / "project" / "examples"
    below.mkdir(parents=True)
    # no project: a file above is somebody else's
    assert load_settings({}, directory=below).database_url is None
    (user_home / "project" / "pyproject.toml").touch()
    assert load_settings({}, directory=below).database_url is None
    (user_home / "project" / ".env").write_text(f"DATABASE_URL={URL}\n")
    found = load_settings({}, directory=below).database_url
    assert found is not None
    assert found.get_secret_value() == URL


def test_a_file_that_cannot_be_read_is_one_line(user_home: Path) -> None:
    (user_home / ".env").write_bytes(b"DATABASE_URL=postgresql://m\xfcller@host/db\n")
    with pytest.raises(SettingsError, match=r"\.env is not UTF-8"):
        load_settings({}, directory=user_home)


def test_a_dollar_in_a_password_stays_one(user_home: Path) -> None:
    url = "postgresql://someone:a${HOME}b@host/db"
    (user_home / ".env").write_text(f"DATABASE_URL={url}\n")
    found = load_settings({}, directory=user_home).database_url
    assert found is not None
    assert found.get_secret_value() == url


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


def test_who_acts_and_what_signs(user_home: Path) -> None:
    standard = load_settings({}, directory=user_home)
    assert (standard.user, standard.secret_key) == (None, None)
    key = "0123456789abcdef" * 2
    environ = {"ETF_BACKTEST_USER": "ada@example.org", "ETF_BACKTEST_SECRET_KEY": key}
    settings = load_settings(environ, directory=user_home)
    assert settings.user == "ada@example.org"
    assert settings.secret_key is not None
    assert settings.secret_key.get_secret_value() == key
    assert key not in repr(settings) + str(settings) + settings.model_dump_json()


def test_a_key_that_is_too_short_is_refused_and_not_shown(user_home: Path) -> None:
    short = "0123456789abcdef" * 2
    with pytest.raises(SettingsError, match="SECRET_KEY is too short") as caught:
        load_settings({"ETF_BACKTEST_SECRET_KEY": short[1:]}, directory=user_home)
    assert short[1:] not in str(caught.value)
    assert caught.value.__suppress_context__


def test_limits_of_tiers(user_home: Path) -> None:
    standard = load_settings({}, directory=user_home).limits
    assert (standard.free.portfolios, standard.free.queued) == (10, 20)
    assert (standard.of("basic").portfolios, standard.of("basic").queued) == (100, 200)
    assert (standard.premium.portfolios, standard.premium.queued) == (None, None)
    (user_home / ".env").write_text("ETF_BACKTEST_LIMITS_PREMIUM=portfolios=7, queued=8\n")
    environ = {
        "ETF_BACKTEST_LIMITS_FREE": "queued=0",
        "ETF_BACKTEST_LIMITS_BASIC": "portfolios=none queued=5",
    }
    limits = load_settings(environ, directory=user_home).limits
    # what is left out is as standard
    assert (limits.free.portfolios, limits.free.queued) == (10, 0)
    assert (limits.basic.portfolios, limits.basic.queued) == (None, 5)
    assert (limits.premium.portfolios, limits.premium.queued) == (7, 8)


@pytest.mark.parametrize("text", ["many", "portfolios", "portfolios=-1", "jobs=3", "queued=\u0665"])
def test_limits_that_are_none(user_home: Path, text: str) -> None:
    with pytest.raises(
        SettingsError, match=r"ETF_BACKTEST_LIMITS_FREE has .*, expected portfolios"
    ):
        load_settings({"ETF_BACKTEST_LIMITS_FREE": text}, directory=user_home)


def test_the_example_says_what_is_standard(user_home: Path, repository: Path) -> None:
    lines = (repository / ".env.example").read_text().splitlines()
    limits = [line.removeprefix("# ") for line in lines if line.startswith("# ETF_BACKTEST_LIMITS")]
    assert len(limits) == 3
    (user_home / ".env").write_text("\n".join(limits))
    said = load_settings({}, directory=user_home).limits
    assert said.model_dump() == Limits().model_dump()
