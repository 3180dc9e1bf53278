"""Settings: read once from the environment and `.env`, frozen, passed on as a value.

This is the only module that reads the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import platformdirs
from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from etf_backtest.errors import SettingsError

APP = "etf-backtest"
PROJECT_MARKS = ("pyproject.toml", ".git")
UrlSource = Literal["environment", ".env", "embedded"]
SHORTEST_KEY = 32
LIMITS = "ETF_BACKTEST_LIMITS_"


class TierLimits(BaseModel):
    """What a subscription tier may have; None: as much as anybody wants."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    portfolios: int | None = Field(default=None, ge=0)
    queued: int | None = Field(default=None, ge=0)
    """Backtests that are pending or running at a time."""


class Limits(BaseModel):
    """The limits of each tier."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    free: TierLimits = TierLimits(portfolios=10, queued=20)
    basic: TierLimits = TierLimits(portfolios=100, queued=200)
    premium: TierLimits = TierLimits()

    def of(self, tier: str) -> TierLimits:
        """Those of a tier by its name in the database."""
        limits: TierLimits = getattr(self, tier)
        return limits


TIERS = tuple(Limits.model_fields)


class Settings(BaseModel):
    """What the outside world says about where things are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: SecretStr | None = None
    """The PostgreSQL to use; None means the embedded one."""
    database_url_source: UrlSource = "embedded"
    """Where `database_url` was found, for messages."""
    data_dir: Path
    """Holds the embedded PostgreSQL's cluster (`ETF_BACKTEST_DATA_DIR`)."""
    cache_dir: Path
    """Holds what can be made again: Prisma Studio, panels (`ETF_BACKTEST_CACHE_DIR`)."""
    cache_size: int = Field(default=2**30, ge=0)
    """Bytes that cached panels may take; 0 turns them off (`ETF_BACKTEST_CACHE_SIZE`)."""
    user: str | None = None
    """Who acts, by e-mail address or id; None: the local user (`ETF_BACKTEST_USER`)."""
    secret_key: SecretStr | None = None
    """Signs tokens; None: a key of this machine's own, kept in `data_dir`
    (`ETF_BACKTEST_SECRET_KEY`)."""
    limits: Limits = Limits()
    """By tier (`ETF_BACKTEST_LIMITS_FREE`, `..._BASIC`, `..._PREMIUM`: `portfolios=10 queued=20`;
    `none` for no limit). The local user has none."""

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(
            ("postgresql://", "postgres://")
        ):
            raise ValueError(
                "DATABASE_URL must start with postgresql:// or postgres://, "
                "for example postgresql://user:password@localhost:5432/etf_backtest"
            )
        return url

    @field_validator("cache_size", mode="before")
    @classmethod
    def _is_size(cls, size: object) -> object:
        """A number of bytes, or with a unit: 500M, 2G."""
        if not isinstance(size, str):
            return size
        number, unit = size.strip().upper().removesuffix("B").removesuffix("I"), 1
        if number[-1:] in ("K", "M", "G"):
            unit = 1024 ** (" KMG".index(number[-1]))
            number = number[:-1].strip()
        if not (number.isascii() and number.isdecimal()):
            raise ValueError(
                f"ETF_BACKTEST_CACHE_SIZE is {size!r}, expected a number of bytes, 500M or 2G"
            )
        return int(number) * unit

    @field_validator("secret_key")
    @classmethod
    def _is_long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) < SHORTEST_KEY:
            raise ValueError(
                f"ETF_BACKTEST_SECRET_KEY is too short to sign with: give {SHORTEST_KEY} random "
                'characters or more (python -c "import secrets; print(secrets.token_hex(32))")'
            )
        return key

    @field_validator("data_dir", "cache_dir")
    @classmethod
    def _is_absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()


def load_settings(
    environ: Mapping[str, str] | None = None, *, directory: Path | None = None
) -> Settings:
    """Read the environment, then `.env` in `directory` for what the environment does not say.

    Parameters
    ----------
    environ : mapping of str to str, optional
        Defaults to `os.environ`.
    directory : Path, optional
        Where `.env` is looked for, then in the folders above it up to the root of the project (the
        first folder with a `pyproject.toml` or `.git`), and nowhere else. Defaults to the working
        directory.

    Raises
    ------
    SettingsError
        A value cannot be used. The value of DATABASE_URL is never part of the message.
    """
    environ = os.environ if environ is None else environ
    from_file = _read_env_file(directory or Path.cwd())

    def value(name: str) -> str | None:
        return environ.get(name) or from_file.get(name) or None

    url = value("DATABASE_URL")
    source: UrlSource = "embedded"
    if url is not None:
        source = "environment" if environ.get("DATABASE_URL") else ".env"
    try:
        return Settings(
            database_url=None if url is None else SecretStr(url),
            database_url_source=source,
            data_dir=Path(value("ETF_BACKTEST_DATA_DIR") or platformdirs.user_data_path(APP)),
            cache_dir=Path(value("ETF_BACKTEST_CACHE_DIR") or platformdirs.user_cache_path(APP)),
            **({} if (size := value("ETF_BACKTEST_CACHE_SIZE")) is None else {"cache_size": size}),
            user=value("ETF_BACKTEST_USER"),
            secret_key=None
            if (key := value("ETF_BACKTEST_SECRET_KEY")) is None
            else SecretStr(key),
            limits=_read_limits({tier: value(f"{LIMITS}{tier.upper()}") for tier in TIERS}),
        )
    except ValidationError as error:
        # only the messages: pydantic's own text quotes the input, which may be a password
        reasons = "; ".join(str(e["msg"]).removeprefix("Value error, ") for e in error.errors())
        where = "" if source == "embedded" else f" (from {source})"
        raise SettingsError(f"{reasons}{where}") from None


def private_folder(path: Path) -> Path:
    """Make a folder of ours, and those above it that are missing, for nobody else (0700).

    One that is there keeps its mode.
    """
    for folder in (*reversed(path.parents), path):
        # mkdir's own `parents` leaves those above to the umask
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
    return path


def _read_limits(texts: Mapping[str, str | None]) -> Limits:
    """Limits as people write them, `portfolios=10 queued=none`; what is left out is as standard."""
    standard, limits = Limits(), {}
    for tier, text in texts.items():
        numbers: dict[str, int | None] = dict(standard.of(tier))
        for part in (text or "").replace(",", " ").split():
            key, _, number = part.partition("=")
            is_number = number.isascii() and number.isdecimal()
            if key not in numbers or not (number == "none" or is_number):
                raise SettingsError(
                    f"{LIMITS}{tier.upper()} has {part!r}, expected portfolios=10 or queued=20, "
                    "or none for a number"
                )
            numbers[key] = int(number) if is_number else None
        limits[tier] = TierLimits.model_validate(numbers)
    return Limits(**limits)


def _read_env_file(directory: Path) -> Mapping[str, str | None]:
    """The values of the nearest `.env` of the project around `directory`, which may be itself."""
    project = [directory, *directory.parents]
    roots = (i for i, f in enumerate(project) if any((f / m).exists() for m in PROJECT_MARKS))
    for folder in project[: next(roots, 0) + 1]:
        env_file = folder / ".env"
        try:
            if env_file.is_file():
                # as it stands: a password may have ${ in it
                return dotenv_values(env_file, interpolate=False)
        except UnicodeDecodeError as error:
            raise SettingsError(
                f"{env_file} is not UTF-8 (byte {error.start})", remedy="save it as UTF-8"
            ) from None
        except OSError as error:
            raise SettingsError(f"{env_file} cannot be read: {error.strerror}") from None
    return {}
