"""Users, their passwords, and who may come in."""

from __future__ import annotations

import math
from pathlib import Path

from etf_backtest.errors.base import EtfBacktestError
from etf_backtest.errors.wording import quoted


class InvalidUserError(EtfBacktestError):
    """A user has an address, a name or a tier that cannot be stored."""


class EmailTakenError(EtfBacktestError):
    """There is a user with that e-mail address, in whatever case it is written."""

    def __init__(self, email: str) -> None:
        super().__init__(
            f"there is a user with the address {quoted(email)} already",
            remedy="give another address, or see etf-backtest user show",
        )
        self.email = email


class PasswordRefusedError(EtfBacktestError):
    """A new password cannot be taken; the password itself is nowhere in the error."""


class SecretInputError(EtfBacktestError):
    """A password or a token was to be read, and what is there is none; it is not in the error."""

    exit_code = 2


class WrongPasswordError(EtfBacktestError):
    """Who wants to change a password did not give the one that holds."""

    def __init__(self) -> None:
        super().__init__("the old password is wrong", remedy="type it again")


class SignInError(EtfBacktestError):
    """Nobody was let in: one and the same error whatever the reason.

    An address that nobody has, a wrong password, a user without a password and one that was
    deactivated cannot be told apart by it.
    """

    def __init__(self) -> None:
        super().__init__(
            "the e-mail address and the password do not fit, or the account is not active",
            remedy="type both again",
        )


class SignInThrottledError(EtfBacktestError):
    """Too many attempts to sign in with one address failed; the password was not looked at.

    Attributes
    ----------
    retry_after : float
        Seconds until the next attempt is looked at.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__(
            "too many attempts with this address have failed",
            remedy=f"wait {math.ceil(retry_after):,} s and try again",
        )
        self.retry_after = retry_after


class TokenError(EtfBacktestError):
    """A token cannot be used: one and the same error whatever the reason.

    It was changed, is of another key, has expired, was used, or is for an address that the user
    does not have any more.
    """

    def __init__(self) -> None:
        super().__init__(
            "the token is not valid: it has expired, was used, is for another address, or is not "
            "one that was signed here",
            remedy="ask for a new one",
        )


class SigningKeyError(EtfBacktestError):
    """The file with the key that signs tokens cannot be used; the key is not in the error."""

    def __init__(self, path: Path, reason: str, *, remedy: str) -> None:
        super().__init__(f"the key that signs tokens, {path}, {reason}", remedy=remedy)
        self.path = path


class UserInUseError(EtfBacktestError):
    """A user cannot be deleted: backtests of others use their strategies or portfolios.

    Attributes
    ----------
    backtests : int
        How many backtests of others; 0 where they came up while the user was being deleted.
    """

    def __init__(self, email: str, *, backtests: int) -> None:
        number = f"{backtests:,} " if backtests else ""
        super().__init__(
            f"{quoted(email)} cannot be deleted: {number}backtests of others use strategies or "
            "portfolios of this user",
            remedy="have those deleted first, or deactivate the user: etf-backtest user deactivate",
        )
        self.email = email
        self.backtests = backtests
