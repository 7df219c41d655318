"""The data lake: Delta tables, Parquet files, and the folders of runs that are under way."""
