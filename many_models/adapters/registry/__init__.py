"""Model registries in MLflow: ``mlflow_registry`` is what the rest of the platform uses.

Two ports: ``writer`` (bulk, through a server, client) and ``reader`` (SQL, client).
Models' files stand in ``packs``; ``promotion`` copies models from one registry to another.
"""
