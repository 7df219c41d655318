"""The kinds of model that are tried for every group: one module for each family.

``port`` says what a candidate is, ``catalogue`` which ones there are.
"""
