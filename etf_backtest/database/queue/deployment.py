"""What `migrate deploy` and `migrate reset` do about the queue, after Prisma has done its part."""

from __future__ import annotations

from collections.abc import Callable

from etf_backtest.database.queue.installation import (
    InstallationReport,
    install_queue,
    remove_queue,
)
from etf_backtest.database.queue.library import EXTRA
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import (
    QueueLibraryMissingError,
    QueueNewerError,
    QueueRightError,
    QueueSchemaError,
)

Say = Callable[[str], object]


async def deploy_queue(url: DatabaseUrl, say: Say) -> int:
    """Install the queue or bring it up to date, and say so in one line.

    Returns
    -------
    int
        0, also where this machine lacks the extra `worker` or the queue is newer than it: the
        tables serve everybody as they are. 1 when it should be installed and cannot be: backtests
        would wait for ever.
    """
    try:
        say(describe(await install_queue(url)))
    except QueueLibraryMissingError:
        say(
            "Queued backtests wait until procrastinate is installed here and this is repeated: "
            f"{EXTRA}"
        )
    except QueueNewerError as error:
        say(f"Note: {error}")
    except (QueueRightError, QueueSchemaError) as error:
        say(f"The tables are deployed, but {error}")
        return 1
    return 0


async def reset_queue(url: DatabaseUrl, say: Say) -> int:
    """Drop the queue with its jobs, and install it again; as `deploy_queue`."""
    try:
        await remove_queue(url)
    except (QueueRightError, QueueSchemaError) as error:
        say(f"The tables are reset, but {error}")
        return 1
    return await deploy_queue(url, say)


def describe(report: InstallationReport) -> str:
    """What was done, in one line."""
    done = "was installed" if report.is_new else "is up to date"
    if report.applied:
        done = f"was brought up to date by {', '.join(report.applied)}"
    line = (
        f"The queue of backtests (schema {report.schema}) {done}; procrastinate "
        f"{report.library_version}."
    )
    if report.deferred:
        backtests = "backtest" if report.deferred == 1 else "backtests"
        line += f" {report.deferred:,} pending {backtests} got a job."
    return line
