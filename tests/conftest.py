"""Fixtures for every test, split by subject.

certificates  a server with TLS
environment   a home directory of the test's own, and nothing of the user's
pgbouncer     pgbouncer before such a server
postgres      real PostgreSQL servers and databases
queue         databases with the queue of backtests
yahoo_server  Yahoo Finance on loopback
"""

pytest_plugins = [
    "tests.fixtures.environment",
    "tests.fixtures.pgbouncer",
    "tests.fixtures.postgres",
    # after what it imports, or pytest could not rewrite that
    "tests.fixtures.certificates",
    "tests.fixtures.queue",
    "tests.fixtures.yahoo_server",
]
