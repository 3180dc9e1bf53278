"""What a program of PostgreSQL needs to connect, in its environment and never in its arguments.

Passwords are in files of their own (0600, in a folder that only we can enter, removed afterwards):
an environment can be read for as long as a process runs.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import DatabaseUrlError

SERVICE: Final = "etf_backtest"
# passed on unread; of PG* nothing is: the URL says everything
_INHERITED: Final = ("PATH", "HOME", "LD_LIBRARY_PATH", "TMPDIR", "TZ", "KRB5CCNAME")
_NAMES: Final = {
    "application_name": "PGAPPNAME",
    "options": "PGOPTIONS",
    "connect_timeout": "PGCONNECT_TIMEOUT",
}


def plain_environment() -> dict[str, str]:
    """For a program that connects to nothing."""
    return {
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        "LC_ALL": "C",  # we read what it says
    }


@contextmanager
def libpq_environment(url: DatabaseUrl) -> Iterator[dict[str, str]]:
    """The environment in which libpq connects to `url`; valid until the end of the block.

    Raises
    ------
    DatabaseUrlError
        A secret has a line break, which libpq's files cannot hold; the TLS mode is unknown.
    """
    with tempfile.TemporaryDirectory(prefix="etf-backtest-libpq-") as folder:
        yield {
            **plain_environment(),
            "PGHOST": url.socket_directory or url.host,
            "PGPORT": str(url.port),
            "PGUSER": url.user,
            "PGDATABASE": url.database,
            "PGGSSENCMODE": "disable",
            "PGPASSFILE": _password_file(Path(folder), url.password),
            **{
                variable: value
                for name, variable in _NAMES.items()
                if (value := url.parameter(name)) is not None
            },
            **_tls(url, Path(folder)),
        }


def _tls(url: DatabaseUrl, folder: Path) -> dict[str, str]:
    mode, authority = url.tls()
    variables: dict[str, str] = {"PGSSLMODE": mode}
    # a certificate that libpq finds (in the home directory) it would use, whatever the mode says
    variables["PGSSLROOTCERT"] = str(folder / "none")
    if mode in ("verify-ca", "verify-full"):
        variables["PGSSLROOTCERT"] = (
            authority if authority is not None and authority != "system" else _system()
        )
    if key := url.parameter("sslkey"):
        variables |= {"PGSSLKEY": key, "PGSSLCERT": url.parameter("sslcert") or key}
        if secret := url.parameter("sslpassword"):
            # the one that has no variable and no file of its own
            service = folder / "service"
            _write(service, f"[{SERVICE}]\nsslpassword={_one_line(secret)}\n")
            variables |= {"PGSERVICE": SERVICE, "PGSERVICEFILE": str(service)}
    return variables


def _system() -> str:
    """The authorities that Python trusts, as a file; libpq knows "system" only since 16."""
    return ssl.get_default_verify_paths().cafile or "system"


def _password_file(folder: Path, password: str | None) -> str:
    """A file with the password for every server; an empty one where there is none."""
    path = folder / "password"
    escaped = _one_line(password or "").replace("\\", "\\\\").replace(":", "\\:")
    _write(path, f"*:*:*:*:{escaped}\n" if password else "")
    return str(path)


def _one_line(secret: str) -> str:
    if "\n" in secret or "\r" in secret:
        raise DatabaseUrlError(
            "the URL",
            "its password has a line break, which the files of pg_dump cannot hold",
            remedy="give the role another password",
        )
    return secret


def _write(path: Path, text: str) -> None:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(text)
