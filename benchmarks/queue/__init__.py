"""The work queue: how many jobs a second, how soon they start, and what a million rows change."""
