"""`etf-backtest studio`: Prisma Studio on the same database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import console
from etf_backtest.cli.session import settings, with_url

if TYPE_CHECKING:
    from etf_backtest.database.studio import StudioServer
    from etf_backtest.database.url import DatabaseUrl


def studio(
    port: Annotated[
        int, typer.Option(help="On 127.0.0.1; 0 takes any that is free.", min=0, max=65535)
    ] = 5555,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """Browse and edit the data in Prisma Studio until Ctrl-C.

    It is installed on first use, into your cache directory. Who has the address can read and write.
    """
    from etf_backtest.database.studio import serve

    def ready(server: StudioServer) -> None:
        console.narrate("Prisma Studio is ready; Ctrl-C ends it")
        console.show_line(server.url)

    async def resolved(url: DatabaseUrl) -> DatabaseUrl:
        return url

    serve(
        with_url(resolved),
        cache_dir=settings().cache_dir,
        port=port,
        open_browser=browser,
        on_ready=ready,
        on_progress=console.narrate,
    )
