"""Python processes of their own, which use the package as a command does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PREAMBLE = """
import sys
from collections.abc import Sequence
from pathlib import Path
from etf_backtest.database import postgres
from etf_backtest.settings import Settings
data_dir = Path(sys.argv[1])
settings = Settings(data_dir=data_dir, cache_dir=data_dir.parent / "cache")
"""


def launch(
    code: str,
    data_dir: Path,
    *arguments: str | Path,
    new_session: bool = False,
    by: Sequence[str] = (),
) -> subprocess.Popen[str]:
    """Begin to run `code` after the preamble; both outputs are pipes.

    `by` is a command that runs another, such as setpriv.
    """
    return subprocess.Popen(
        [*by, sys.executable, "-c", PREAMBLE + code, data_dir, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=new_session,
    )


def run(code: str, data_dir: Path, *arguments: str | Path, by: Sequence[str] = ()) -> str:
    """Run `code` after the preamble, and give what it printed."""
    process = launch(code, data_dir, *arguments, by=by)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return output.strip()
