-- What was done to this schema, noted by `etf-backtest migrate deploy`: the library's migrations by
-- the names of their files (after an installation from nothing all of them, as if applied), and the
-- functions of ours.
CREATE TABLE installed_migrations (
    name TEXT PRIMARY KEY,
    checksum BYTEA NOT NULL CHECK (octet_length(checksum) = 32),
    applied_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
-- whoever looks at the state of the database: names of files, no more
GRANT SELECT ON installed_migrations TO PUBLIC;
