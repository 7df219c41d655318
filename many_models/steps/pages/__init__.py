"""What the results pages tell, read from the result store: bounded, and aggregated in SQL."""
