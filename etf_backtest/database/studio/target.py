"""Translate a database URL into what Studio's driver (postgres.js) takes.

The driver decodes only some parts of a URL, knows nothing of `?host=` and sends parameters that it
does not know to the server, which refuses them. So everything goes through the PG* variables, which
are set inside Studio's process, and the URL keeps what has no variable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import get_args
from urllib.parse import quote, urlencode

from etf_backtest.database.url import DatabaseUrl, SslMode
from etf_backtest.errors import StudioUrlError

APPLICATION_NAME = "etf-backtest studio"


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
    """The certificate authorities to trust instead of Node's own."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The password as it is, and as it stands in a URL."""
        password = self.environment.get("PGPASSWORD")
        return () if not password else (password, quote(password, safe=""), quote(password))


def translate(url: DatabaseUrl) -> StudioTarget:
    """Say the same in the driver's words.

    Raises
    ------
    StudioUrlError
        The driver cannot do what the URL asks for.
    """
    if url.socket_directory is None and ":" in url.host:
        raise StudioUrlError(
            f"Prisma Studio's driver cannot use the IPv6 address {url.host}",
            remedy="use a host name or an IPv4 address",
        )
    environment = {
        "PGHOST": url.socket_directory or url.host,
        "PGPORT": str(url.port),
        "PGDATABASE": url.database,
        "PGUSER": url.user,
        "PGAPPNAME": APPLICATION_NAME,
    }
    if url.password:
        environment["PGPASSWORD"] = url.password
    mode, certificates = _tls(url)
    # times are shown, and typed, as they are stored
    parameters = {"sslmode": mode, "TimeZone": "UTC"}
    if (options := url.parameter("options")) is not None:
        parameters["options"] = options
    return StudioTarget(
        name=f"{url.database!r} on {url.server}",
        url=f"postgresql:///?{urlencode(parameters, quote_via=quote)}",
        environment=environment,
        certificates=certificates,
    )


def _tls(url: DatabaseUrl) -> tuple[str, Path | None]:
    """The driver's mode, and the authorities to trust."""
    if url.socket_directory is not None:
        return "disable", None
    mode = url.parameter("sslmode") or "prefer"
    if mode not in get_args(SslMode):
        expected = ", ".join(get_args(SslMode))
        raise StudioUrlError(f"sslmode is {mode!r}, expected one of {expected}")
    if url.parameter("sslkey") is not None:
        raise StudioUrlError(
            "Prisma Studio's driver cannot present a client certificate (sslkey)",
            remedy="give Studio a role that logs in with a password",
        )
    # without a key, sslcert is Prisma's name for the authority's certificate
    authority = url.parameter("sslrootcert") or url.parameter("sslcert")
    strict = authority is not None or url.parameter("sslaccept") == "strict"
    if mode == "verify-ca" or (mode == "require" and strict):
        # the driver either checks all, the name too, or nothing
        mode = "verify-full"
    if mode == "verify-full" and _is_address(url.host):
        # the driver would compare the certificate with the name localhost
        raise StudioUrlError(
            f"Prisma Studio's driver cannot check the certificate of the address {url.host}",
            remedy="use the host name that the certificate is for",
        )
    if mode != "verify-full" or authority in (None, "system"):
        return mode, None
    return mode, Path(str(authority)).absolute()


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
