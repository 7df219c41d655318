"""Sources of any size with the truth known: what happens in groups, day by day, from a seed."""
