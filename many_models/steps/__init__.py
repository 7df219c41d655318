"""The pipeline's steps as plain functions, in order: ingest, group, train, judge, promote, score.

A step joins ``core`` and ``adapters``; it knows no Dagster, so that a notebook or a test can call
it.
"""
