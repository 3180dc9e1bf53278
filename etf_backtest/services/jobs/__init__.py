"""What a worker does with a queued backtest: claim it, have a child compute it, store it."""
