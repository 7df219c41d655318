"""Spark: its session, grouping by shuffle, and running work on shards."""
