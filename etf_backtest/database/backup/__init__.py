"""Backups: an archive of pg_dump with a manifest beside it, and restoring it all or not at all."""

from etf_backtest.database.backup.dump import Backup, back_up
from etf_backtest.database.backup.manifest import Manifest
from etf_backtest.database.backup.restore import Restored, restore

__all__ = ["Backup", "Manifest", "Restored", "back_up", "restore"]
