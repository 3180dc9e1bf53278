"""Whether a database is well, and how PostgreSQL answers the application's queries."""

from etf_backtest.database.doctor.examination import Examination, examine
from etf_backtest.database.doctor.explain import Plan, explain
from etf_backtest.database.doctor.finding import Finding, Severity
from etf_backtest.database.doctor.queries import QUERIES, Query

__all__ = ["QUERIES", "Examination", "Finding", "Plan", "Query", "Severity", "examine", "explain"]
