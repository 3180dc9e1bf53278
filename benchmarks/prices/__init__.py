"""Prices into the database and out again, beside what others do, on one server in one run."""
