"""Many processes at once, one server."""

from __future__ import annotations

from pathlib import Path

from etf_backtest.database import postgres
from etf_backtest.settings import Settings
from tests.integration.postgres.python_process import launch

# They wait for each other at a file, so that they start in the same moment.
ENSURE = """
import asyncio, time
import asyncpg
gate = Path(sys.argv[2])
print("here", flush=True)
while not gate.exists():
    time.sleep(0.001)
async def main():
    url = await postgres.ensure_database(settings)
    connection = await asyncpg.connect(**url.asyncpg_arguments())
    name = await connection.fetchval("SELECT current_database()")
    await connection.close()
    print(name, postgres.status(settings).pid, url.port)
asyncio.run(main())
"""


def start_four_at_once(settings: Settings, gate: Path) -> list[str]:
    processes = [launch(ENSURE, settings.data_dir, gate) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
    gate.touch()
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, outputs
    return [output.strip() for output, _ in outputs]


def test_four_first_uses_make_one_server(new_settings: Settings, user_home: Path) -> None:
    answers = start_four_at_once(new_settings, user_home / "gate")
    assert len(set(answers)) == 1
    assert answers[0].startswith("etf_backtest ")


def test_four_starts_start_one_server(settings: Settings, user_home: Path) -> None:
    answers = start_four_at_once(settings, user_home / "gate")
    assert len(set(answers)) == 1


def test_starts_and_stops_at_once_end_in_one_state_or_the_other(settings: Settings) -> None:
    start = "\nfor _ in range(5): postgres.start(settings)"
    stop = "\nfor _ in range(5): postgres.stop(settings)"
    processes = [launch(code, settings.data_dir) for code in (start, stop, start, stop)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, outputs
    assert postgres.status(settings).state in ("ready", "stopped")
    assert postgres.start(settings).url.database == "etf_backtest"
