"""Where data waits: the PostgreSQL behind everything, and the only importer of its client."""
