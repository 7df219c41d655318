"""A day in the life of a use case that Dagster operates, played in minutes: `many-models demo day`.

``retailer`` is the database in which things happen, ``daemon`` stands in for Dagster's, ``story``
tells what happens when.
"""
