"""Dagster only: resources, partitions, assets, checks, jobs. The work is in ``steps``."""
