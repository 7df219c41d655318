"""Forecasts: a series for each group, a horizon, candidates that compete in a backtest."""
