"""The store as it was before it had versions: tables that grew by themselves, and no catalogue.

Nothing is done to it; it is known from here on which version it has.
"""

from __future__ import annotations

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing: Alembic's own table is all that is new."""
