"""Many Models: one model for every combination of group keys, trained and served at scale.

Start reading at ``definitions.py``, the composition root, or at ``core``, what the platform is
about without any of the technology it runs on.
"""

__version__ = "0.1.0"
