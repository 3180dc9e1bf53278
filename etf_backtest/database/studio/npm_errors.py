"""What an error of npm (or of the disk under it) means, and what its reader can do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an installation fails."""

    codes: frozenset[str]
    """npm's and errno's names for it."""
    reason: str
    remedy: str


DISK_FULL = Cause(
    frozenset({"ENOSPC", "EDQUOT"}),
    "the disk is full",
    "free 300 MB, or set ETF_BACKTEST_CACHE_DIR to a disk that has room",
)
NOT_WRITABLE = Cause(
    frozenset({"EACCES", "EPERM", "EROFS", "ENOTDIR"}),
    "the folder cannot be written",
    "set ETF_BACKTEST_CACHE_DIR to a folder of yours",
)
ALTERED = Cause(
    frozenset({"EINTEGRITY"}),
    "a package is not the one that the lock file names",
    "run `npm cache clean --force`; if that does not help, the registry serves altered packages",
)
REFUSED = Cause(
    frozenset({"E401", "E403", "ENEEDAUTH"}),
    "the npm registry refuses us",
    "look which registry ~/.npmrc names, and log in to it",
)
UNREACHABLE = Cause(
    frozenset(
        {
            "ECONNREFUSED",
            "ECONNRESET",
            "EAI_AGAIN",
            "EHOSTUNREACH",
            "ENETUNREACH",
            "ENOTFOUND",
            "ERR_SOCKET_TIMEOUT",
            "ETIMEDOUT",
        }
    ),
    "the npm registry is out of reach",
    "try again online, or name your registry or proxy in ~/.npmrc; only the first use needs it",
)
UNKNOWN = Cause(frozenset(), "npm failed", "try again; what npm said is above")

CAUSES = (DISK_FULL, NOT_WRITABLE, ALTERED, REFUSED, UNREACHABLE)


def cause_of(code: str | None) -> Cause:
    """The cause that npm or errno calls `code`."""
    return next((cause for cause in CAUSES if code in cause.codes), UNKNOWN)
