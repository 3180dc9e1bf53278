"""`python -m etf_backtest.database.prisma_cli generate`, for the Makefile."""

from __future__ import annotations

import argparse
import asyncio
import sys

from etf_backtest.database.prisma_cli import generate
from etf_backtest.errors import EtfBacktestError
from etf_backtest.settings import load_settings


def main() -> int:
    """Generate the client; everything else is `etf-backtest`'s business."""
    parser = argparse.ArgumentParser(prog="python -m etf_backtest.database.prisma_cli")
    parser.add_argument("command", choices=["generate"])
    parser.parse_args()
    try:
        return asyncio.run(generate(load_settings()))
    except EtfBacktestError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
