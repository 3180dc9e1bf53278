"""Prisma Studio on any PostgreSQL: installed on first use, and shut to everybody but its user."""

from etf_backtest.database.studio.installation import install
from etf_backtest.database.studio.server import DEFAULT_PORT, StudioServer, serve, studio

__all__ = ["DEFAULT_PORT", "StudioServer", "install", "serve", "studio"]
