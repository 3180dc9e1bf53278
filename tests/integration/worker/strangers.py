"""Strategies of strangers, of whom a worker knows nothing but their names."""

from __future__ import annotations

from pathlib import Path

MODULE = "strategies_of_strangers"
CODE = '''
import os, signal, sys, time
from pathlib import Path

import numpy as np

from etf_backtest.strategies import BuyAndHold

class _Stranger(BuyAndHold):
    def target_weights(self, history):
        self.misbehave()
        return super().target_weights(history)

class Printing(_Stranger):
    name = "printing"
    def misbehave(self):
        print("hello from a stranger")
        os.write(1, b"and past Python\\n")
        assert sys.stdin.read() == ""

class Raising(_Stranger):
    name = "raising"
    def misbehave(self):
        raise KeyError("no such\\nthing")

class Leaving(_Stranger):
    name = "leaving"
    def misbehave(self):
        sys.exit("enough")

class Dying(_Stranger):
    name = "dying"
    def misbehave(self):
        print("about to die", flush=True)
        os._exit(3)

class Crashing(_Stranger):
    name = "crashing"
    def misbehave(self):
        os.kill(os.getpid(), signal.SIGSEGV)

class Waiting(_Stranger):
    """Until there is a file `go` in the current directory; says in `waits` that it does."""
    name = "waiting"
    def misbehave(self):
        Path("waits").write_text(str(os.getpid()))
        while not Path("go").exists():
            time.sleep(0.01)

class Looping(_Stranger):
    name = "looping"
    def misbehave(self):
        Path("loops").touch()
        while True:
            pass

class Hungry(_Stranger):
    name = "hungry"
    def misbehave(self):
        np.ones(1 << 40, dtype=np.uint8)

class Nosy(_Stranger):
    name = "nosy"
    def misbehave(self):
        found = sorted(name for name in os.environ if "DATABASE" in name or "SECRET" in name)
        raise ValueError(f"found {found}")

class Forging(_Stranger):
    name = "forging"
    def misbehave(self):
        for number in range(3, 20):
            try:
                os.write(number, (5).to_bytes(8, "big") + b"lies\\n")
            except OSError:
                pass
'''
NAMES = (
    "printing",
    "raising",
    "leaving",
    "dying",
    "crashing",
    "waiting",
    "looping",
    "hungry",
    "nosy",
    "forging",
)


def install(folder: Path) -> None:
    """Put the module and a package's metadata on a path, as pip does."""
    (folder / f"{MODULE}.py").write_text(CODE)
    (folder / "sleepless_module.py").write_text("while True: pass")
    info = folder / "strangers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    lines = [f"{name} = {MODULE}:{name.capitalize()}" for name in NAMES]
    lines.append("sleepless = sleepless_module:Sleepless")
    (info / "entry_points.txt").write_text("\n".join(("[etf_backtest.strategies]", *lines)))
