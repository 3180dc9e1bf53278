"""Where prices come from, one source a module."""
