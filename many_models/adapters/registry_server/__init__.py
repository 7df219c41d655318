"""What runs inside an MLflow server: ``app`` is what its ``--app-name`` finds."""
