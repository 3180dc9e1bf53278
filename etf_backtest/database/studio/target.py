"""Translate a database URL into what Studio's driver (postgres.js) takes.

The driver decodes only some parts of a URL, knows nothing of `?host=` and sends parameters that it
does not know to the server, which refuses them. So everything goes through the PG* variables, which
are set inside Studio's process, and the URL keeps what has no variable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from etf_backtest.errors import StudioUrlError

APPLICATION_NAME = "etf-backtest studio"
VERIFYING = frozenset({"verify-ca", "verify-full"})
SSL_MODES = VERIFYING | {"disable", "allow", "prefer", "require"}


@dataclass(frozen=True, slots=True)
class StudioTarget:
    """The database that Studio shall open."""

    name: str
    """For messages: database and server, without user and password."""
    url: str
    """Without user, password, host and database."""
    environment: dict[str, str] = field(repr=False)
    """The PG* variables."""
    certificates: Path | None = None
    """The certificate authorities to trust instead of the system's."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The password as it is, and as it stands in a URL."""
        password = self.environment.get("PGPASSWORD")
        return () if not password else (password, quote(password, safe=""), quote(password))


def parse_target(url: str) -> StudioTarget:
    """Read a PostgreSQL URL; over TCP or, with `?host=/directory`, a unix socket.

    Raises
    ------
    StudioUrlError
        Never quotes the URL, which holds a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 5432
    except ValueError as error:
        raise StudioUrlError("the database URL cannot be read", remedy=EXAMPLE) from error
    if parts.scheme not in ("postgresql", "postgres"):
        raise StudioUrlError("the database URL is not one of PostgreSQL", remedy=EXAMPLE)
    # the last of a repeated parameter counts, as in libpq
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    host = query.get("host") or unquote(parts.hostname or "") or "localhost"
    database = unquote(parts.path.removeprefix("/")) or unquote(parts.username or "") or "postgres"
    environment = {
        "PGHOST": host,
        "PGPORT": str(port),
        "PGDATABASE": database,
        "PGAPPNAME": APPLICATION_NAME,
    }
    if parts.username:
        environment["PGUSER"] = unquote(parts.username)
    if parts.password:
        environment["PGPASSWORD"] = unquote(parts.password)
    if ":" in host or "," in host:
        raise StudioUrlError(
            f"Prisma Studio takes a host name or an IPv4 address, not {host!r}",
            remedy="name one host, for example localhost",
        )
    roots = query.get("sslrootcert")
    return StudioTarget(
        name=f"{database!r} on {host}:{port}",
        url=f"postgresql:///?{urlencode(_connection_parameters(query, host))}",
        environment=environment,
        certificates=None if roots in (None, "system") else Path(str(roots)).absolute(),
    )


EXAMPLE = "it looks like postgresql://user:password@localhost:5432/etf_backtest"


def _connection_parameters(query: dict[str, str], host: str) -> dict[str, str]:
    mode = "disable" if host.startswith("/") else query.get("sslmode", "prefer")
    if mode not in SSL_MODES:
        raise StudioUrlError(
            f"sslmode={mode} is not known", remedy=f"one of {', '.join(sorted(SSL_MODES))}"
        )
    if mode in VERIFYING or (mode == "require" and "sslrootcert" in query):
        mode = "verify-full"
    # times are shown, and typed, as they are stored
    parameters = {"sslmode": mode, "TimeZone": "UTC"}
    if "options" in query:
        parameters["options"] = query["options"]
    return parameters
