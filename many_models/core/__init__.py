"""What the platform is about: use cases, features, candidates, training, promotion, scoring.

Imports no Dagster, no Spark and no MLflow; everything here runs in any Python process.
"""
