"""One technology a folder: source databases, the lake, Spark, MLflow, the result store.

Adapters know ``core`` and one technology each; they never import Dagster.
"""
