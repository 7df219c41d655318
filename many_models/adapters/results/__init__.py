"""The result store: predictions, ledgers and verdicts in SQLite or PostgreSQL."""
