"""The pooled model: one LightGBM over all groups of a partition.

``outlook`` says what it looks at, ``sampling`` what it learns from and ``fit`` how; ``contender``
is it among a group's candidates, ``model`` what groups without a model of their own fall back on.
"""
