"""The numbers under which the queue knows workers: each worker's own, whatever becomes of them."""

from __future__ import annotations

from procrastinate import App
from procrastinate.worker import Worker

from etf_backtest.database.queue import install_queue, remove_queue
from etf_backtest.database.queue.connector import psycopg_arguments
from etf_backtest.services.jobs.library import BacktestJobs, DatabaseClock, PatientConnector
from etf_backtest.services.jobs.rescue import Rescue
from tests.integration.worker.conftest import World


async def test_in_another_queue_a_number_is_another_workers(world: World) -> None:
    """After a reset or a restore numbers begin anew; two of one would rob each other."""
    url = world.db.url

    async def never() -> int:
        raise AssertionError

    connector = PatientConnector(kwargs=psycopg_arguments(url), min_size=1, max_size=2)
    app = App(connector=connector)
    jobs = BacktestJobs(connector, on_unknown=never)
    rescue = Rescue(url, connector, jobs, DatabaseClock(), stalled_after=30)
    async with app.open_async():
        ours = Worker(app)
        ours.worker_id = number = await jobs.register_worker()
        assert await rescue.register_again(ours, frozenset()) == number
        await remove_queue(url)
        await install_queue(url)
        assert await jobs.register_worker() == number  # somebody else's now
        assert await rescue.register_again(ours, frozenset()) == number + 1
        assert ours.worker_id == number + 1
        assert await rescue.register_again(ours, frozenset()) == number + 1
