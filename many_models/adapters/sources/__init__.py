"""Source databases: whatever SQLAlchemy or ADBC reads, and two sources that come with us."""
