"""`etf-backtest user`: whose portfolios, strategies and backtests there are.

For whoever runs the database: nobody is asked who they are, as in psql. A password comes from a
prompt, standard input or a file, and never from the command line, which other users of the machine
can read.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import console
from etf_backtest.cli.options import JSON, YES, confirm
from etf_backtest.cli.secret_input import FROM_FILE, FROM_STDIN, new_password, read_secret
from etf_backtest.cli.session import with_database
from etf_backtest.errors.wording import printable

if TYPE_CHECKING:
    import datetime as dt

    from etf_backtest.database.connection import Database
    from etf_backtest.services.accounts import Account
    from etf_backtest.services.user_deletion import Belongings

app = typer.Typer(no_args_is_help=True, help="Users, their passwords and tiers.")

USER = Annotated[str, typer.Argument(metavar="USER", help="E-mail address or id.")]
NO_PASSWORD = Annotated[
    bool, typer.Option("--no-password", help="Nobody can sign in; --user still acts as them.")
]


class Tier(StrEnum):
    """How much a user may have (`services.limits`)."""

    FREE = "free"
    BASIC = "basic"
    PREMIUM = "premium"


def _as_data(user: Account) -> dict[str, object]:
    """What `--json` prints; no hash, which an account does not even have."""
    last = user.last_login
    return {
        "id": user.id,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "tier": user.tier,
        "email_verified": user.email_verified,
        "is_active": user.is_active,
        "last_login": None if last is None else last.isoformat(),
        "created_at": user.created_at.isoformat(),
    }


def _name(user: Account) -> str:
    return " ".join(filter(None, (user.first_name, user.last_name)))


def _counts(theirs: Belongings) -> str:
    return (
        f"portfolios: {theirs.portfolios:,}, strategies: {theirs.strategies:,}, "
        f"backtests: {theirs.backtests:,}"
    )


@app.command()
def add(
    email: Annotated[str, typer.Argument(help="E-mail address that nobody else has.")],
    first_name: Annotated[str | None, typer.Option(help="Shown beside what is shared.")] = None,
    last_name: Annotated[str | None, typer.Option(help="Shown beside what is shared.")] = None,
    tier: Annotated[Tier, typer.Option(help="What they may have.")] = Tier.FREE,
    password_stdin: FROM_STDIN = False,
    password_file: FROM_FILE = None,
    no_password: NO_PASSWORD = False,
    json: JSON = False,
) -> None:
    """Add a user; the password is asked for twice.

    Example: etf-backtest user add ada@example.org --tier premium
    """
    from etf_backtest.services.accounts import check_email, create_user

    check_email(email.strip())  # before somebody types a password for nothing
    password = new_password(password_stdin, password_file, none=no_password)

    async def added(db: Database) -> Account:
        return await create_user(
            db,
            email=email,
            password=password,
            first_name=first_name,
            last_name=last_name,
            tier=tier.value,
        )

    user = with_database(added)
    if json:
        console.show_json(_as_data(user))
    else:
        console.narrate(f"added {user.email}, tier {user.tier}")
        console.show_line(user.id)


@app.command("list")
def list_(json: JSON = False) -> None:
    """List all users."""
    from etf_backtest.services.accounts import list_users

    users = with_database(list_users)
    if json:
        console.show_json([_as_data(user) for user in users])
        return
    if not users:
        console.narrate("no users yet: the first command that needs one makes a local user")
        return
    console.show_table(
        None,
        [(name, "left") for name in ("e-mail", "name", "tier", "verified", "active", "last login")],
        [
            (
                user.email,
                _name(user),
                user.tier,
                _yes(user.email_verified),
                _yes(user.is_active),
                _minute(user.last_login),
            )
            for user in users
        ],
        fold="name",
    )


@app.command()
def show(
    user: Annotated[
        str | None,
        typer.Argument(metavar="USER", help="E-mail address or id; who acts, if none is given."),
    ] = None,
    json: JSON = False,
) -> None:
    """Show a user, how much is theirs, and what their tier may have."""
    from etf_backtest.services.accounts import find_user
    from etf_backtest.services.acting import acting_user
    from etf_backtest.services.user_deletion import belongings

    async def found(db: Database) -> tuple[Account, Belongings]:
        account = await find_user(db, (await acting_user(db)).id if user is None else user)
        return account, await belongings(db, account.id)

    account, theirs = with_database(found)
    limits = _limits(account)
    if json:
        counts = {name: getattr(theirs, name) for name in ("portfolios", "strategies", "backtests")}
        console.show_json({**_as_data(account), **counts, "limits": limits})
        return
    most = limits["portfolios"]
    console.show_facts(
        account.email,
        [
            ("id", account.id),
            ("name", _name(account) or "-"),
            ("tier", account.tier),
            ("e-mail verified", _yes(account.email_verified)),
            ("active", _yes(account.is_active)),
            (
                "last login",
                _minute(account.last_login),
            ),
            ("portfolios", f"{theirs.portfolios:,}" + ("" if most is None else f" of {most:,}")),
            ("strategies", f"{theirs.strategies:,}"),
            ("backtests", f"{theirs.backtests:,}"),
        ],
    )


def _limits(account: Account) -> dict[str, int | None]:
    from etf_backtest.cli.session import settings
    from etf_backtest.services.accounts import LOCAL_EMAIL

    if account.email == LOCAL_EMAIL:
        return {"portfolios": None, "queued": None}
    limits = settings().limits.of(account.tier)
    return {"portfolios": limits.portfolios, "queued": limits.queued}


def _minute(time: dt.datetime | None) -> str:
    return "-" if time is None else f"{time:%Y-%m-%d %H:%M} UTC"


def _yes(said: bool) -> str:
    return "yes" if said else "no"


@app.command()
def passwd(
    user: USER,
    password_stdin: FROM_STDIN = False,
    password_file: FROM_FILE = None,
    no_password: NO_PASSWORD = False,
) -> None:
    """Give a user another password; the one that holds is not asked for.

    Example: pass show etf | etf-backtest user passwd ada@example.org --password-stdin
    """
    from etf_backtest.services.accounts import find_user
    from etf_backtest.services.sign_in import set_password

    account = with_database(lambda db: find_user(db, user))
    password = new_password(password_stdin, password_file, none=no_password)
    with_database(lambda db: set_password(db, account.id, password))
    console.narrate(
        f"{account.email} has another password"
        if password is not None
        else f"nobody can sign in as {account.email} any more"
    )


@app.command()
def verify(
    user: Annotated[
        str | None, typer.Argument(metavar="USER", help="Make a token for this user's address.")
    ] = None,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Use the token on standard input.")
    ] = False,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="Use the token in a file.")
    ] = None,
) -> None:
    """Print a token that verifies a user's e-mail address for 24 hours, or use one.

    Send it to that address: who brings it back reads the mail there.
    """
    from etf_backtest.services.email_verification import email_verification_token, verify_email

    if (user is not None) + token_stdin + (token_file is not None) != 1:
        raise typer.BadParameter("give a USER for a token, or --token-stdin or --token-file")
    if user is not None:
        console.show_line(with_database(lambda db: email_verification_token(db, user)))
        return
    token = read_secret("token", token_file)
    account = with_database(lambda db: verify_email(db, token))
    console.narrate(f"{account.email} is verified")


@app.command()
def tier(user: USER, tier: Annotated[Tier, typer.Argument(help="What they may have.")]) -> None:
    """Give a user another tier; what they have already stays."""
    from etf_backtest.services.accounts import set_tier

    account = with_database(lambda db: set_tier(db, user, tier.value))
    console.narrate(f"{account.email} has the tier {account.tier}")


@app.command()
def deactivate(user: USER) -> None:
    """Shut a user out: nobody signs in or acts as them. What they have stays."""
    from etf_backtest.services.accounts import deactivate_user

    account = with_database(lambda db: deactivate_user(db, user))
    console.narrate(f"{account.email} is not active any more")


@app.command()
def activate(user: USER) -> None:
    """Let a user in again."""
    from etf_backtest.services.accounts import activate_user

    account = with_database(lambda db: activate_user(db, user))
    console.narrate(f"{account.email} is active")


@app.command()
def delete(user: USER, yes: YES = False, json: JSON = False) -> None:
    """Delete a user with all their portfolios, strategies and backtests."""
    from etf_backtest.services.accounts import find_user
    from etf_backtest.services.user_deletion import belongings, delete_user

    async def found(db: Database) -> tuple[Account, Belongings]:
        account = await find_user(db, user)
        return account, await belongings(db, account.id)

    account, theirs = with_database(found)
    question = f"delete {account.email} with everything ({_counts(theirs)})?"
    confirm(printable(question), yes=yes)
    gone = with_database(lambda db: delete_user(db, account.id))
    if json:
        counts = {name: getattr(gone, name) for name in ("portfolios", "strategies", "backtests")}
        console.show_json({"email": account.email, **counts})
    else:
        console.narrate(f"deleted {account.email} ({_counts(gone)})")
