"""How Yahoo is reached."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class YahooConnection:
    """What stands between this computer and Yahoo.

    Attributes
    ----------
    proxy : str, optional
        Of an HTTP, HTTPS or SOCKS proxy: "http://proxy.example:3128".
    ca_file : Path, optional
        Certificates to trust instead of the usual ones (PEM), where a proxy makes its own.
    timeout : float
        Seconds that one request may take.
    """

    proxy: str | None = None
    ca_file: Path | None = None
    timeout: float = 10.0
