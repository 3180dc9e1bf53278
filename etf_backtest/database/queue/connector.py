"""How the queue's library connects: through psycopg, by what our URL says.

As everywhere, the URL alone decides: what libpq's variables and files (`PGPASSWORD`, `~/.pgpass`,
`PGOPTIONS`, ...) would fill in is given here. Left to them, as libpq knows no way to say none: a
service (`PGSERVICE`), and files in `~/.postgresql` where TLS is asked for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypedDict

from etf_backtest.database.queue.names import queue_schema
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import DatabaseUrlError

if TYPE_CHECKING:
    from psycopg import AsyncCursor
    from psycopg.rows import DictRow

APPLICATION: Final = "etf-backtest worker"
"""What the server shows connections as, unless the URL says otherwise."""
CONNECT_TIMEOUT: Final = 10
"""Seconds, unless the URL says otherwise."""
_FOR_EVER: Final = 3600

# a server that is silent for ten seconds is asked four times, five seconds apart: 30 s. The server
# is told the same about us, so that what a lost worker has locked is free again as soon.
_IDLE, _INTERVAL, _COUNT = 10, 5, 4
_LOST_AFTER: Final = (_IDLE + _INTERVAL * _COUNT) * 1000
"""Milliseconds."""
_NO_FILE: Final = "/dev/null/none"


class PsycopgArguments(TypedDict, total=False):
    """Keyword arguments of `psycopg.AsyncConnection.connect`."""

    host: str
    hostaddr: str
    port: int
    dbname: str
    user: str
    password: str
    passfile: str
    options: str
    application_name: str
    connect_timeout: int
    target_session_attrs: str
    gssencmode: str
    sslmode: str
    sslrootcert: str
    sslcert: str
    sslkey: str
    sslpassword: str
    keepalives: int
    keepalives_idle: int
    keepalives_interval: int
    keepalives_count: int
    tcp_user_timeout: int
    prepare_threshold: int | None
    cursor_factory: type[AsyncCursor[DictRow]]


def can_listen(url: DatabaseUrl) -> bool:
    """Whether LISTEN works: not by way of pgbouncer, where workers ask from time to time."""
    return not url.pooled


def psycopg_arguments(url: DatabaseUrl) -> PsycopgArguments:
    """What `psycopg.AsyncConnection.connect(**arguments)` needs, the password in plain text.

    Raises
    ------
    DatabaseUrlError
        The URL has parameters that cannot be used.
    """
    arguments = PsycopgArguments(
        host=url.socket_directory or url.host,
        hostaddr="",
        port=url.port,
        dbname=url.database,
        user=url.user,
        password=url.password or "",
        passfile=_NO_FILE,
        application_name=url.parameter("application_name") or APPLICATION,
        connect_timeout=_connect_timeout(url),
        target_session_attrs="any",
        gssencmode="disable",
        keepalives=1,
        keepalives_idle=_IDLE,
        keepalives_interval=_INTERVAL,
        keepalives_count=_COUNT,
        tcp_user_timeout=_LOST_AFTER,
        options=_options(url),
    )
    _add_tls(arguments, url)
    if url.pooled:
        from etf_backtest.database.queue.pooled_cursor import pooled_cursor

        if url.schema not in {None, "public"}:
            raise DatabaseUrlError(
                "the URL",
                "schema cannot be combined with pgbouncer=true, other than schema=public",
                remedy="connect workers to the server itself, or keep the tables in public",
            )
        arguments["prepare_threshold"] = None
        arguments["cursor_factory"] = pooled_cursor(queue_schema(url))
    return arguments


def _connect_timeout(url: DatabaseUrl) -> int:
    text = url.parameter("connect_timeout")
    if text is None:
        return CONNECT_TIMEOUT
    try:
        seconds = math.ceil(float(text))
    except (ValueError, OverflowError):
        raise DatabaseUrlError("the URL", "connect_timeout is not a number") from None
    return seconds or _FOR_EVER  # 0 is Prisma's "for ever", of which the driver knows nothing


def _options(url: DatabaseUrl) -> str:
    """Settings of the session, in the form of a server's command line; the last of two counts."""
    given = url.parameter("options")
    if url.pooled:
        return given or ""  # whoever gives pgbouncer options has told it to take them
    path = '"' + queue_schema(url).replace('"', '""') + '"'
    settings = {
        "search_path": path.replace("\\", "\\\\").replace(" ", "\\ "),
        # where the database's default is stricter, two workers at once would be conflicts
        "default_transaction_isolation": "read\\ committed",
        # the next job is the first of an index; where statistics are of a time when the queue was
        # empty, comparing all jobs with all others and sorting them looks as cheap: hours for many
        "enable_sort": "off",
    }
    if url.socket_directory is None:
        settings |= {
            "tcp_keepalives_idle": str(_IDLE),
            "tcp_keepalives_interval": str(_INTERVAL),
            "tcp_keepalives_count": str(_COUNT),
            "tcp_user_timeout": str(_LOST_AFTER),
        }
    ours = [f"-c {name}={value}" for name, value in settings.items()]
    return " ".join([given, *ours] if given else ours)


def _add_tls(arguments: PsycopgArguments, url: DatabaseUrl) -> None:
    """The same decisions as for the other drivers, in libpq's words."""
    mode, authority = url.tls()
    arguments["sslmode"] = mode
    if mode in {"verify-ca", "verify-full"}:
        arguments["sslrootcert"] = _authority(authority)
    if key := url.parameter("sslkey"):
        arguments["sslkey"] = key
        arguments["sslcert"] = url.parameter("sslcert") or key
        if (password := url.parameter("sslpassword")) is not None:
            arguments["sslpassword"] = password


def _authority(named: str | None) -> str:
    if named not in (None, "system"):
        return named
    import ssl

    # where the system's certificates lie; "system" is what the driver's own OpenSSL takes for it
    return ssl.get_default_verify_paths().cafile or "system"
