"""The tables and views of the result store, declared in one place: start at ``declaration``."""
