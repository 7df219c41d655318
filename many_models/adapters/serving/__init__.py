"""Online scoring over HTTP, in FastAPI; what is scored, and how, stands in ``steps.online``."""
