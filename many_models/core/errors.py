"""The errors a user of the platform can act on.

Each message names the value at fault, the place it stands in and the remedy. Programming errors
stay ordinary Python exceptions.
"""

from __future__ import annotations


class ManyModelsError(Exception):
    """Anything that a user can mend; its text is shown as it is, without a traceback."""


class UseCaseError(ManyModelsError):
    """A use case file is wrong: the path of the field, its value, and what is allowed."""


class SourceError(ManyModelsError):
    """The source database cannot be read, or what it returns does not fit the use case."""


class LakeError(ManyModelsError):
    """A lake table is missing, empty or does not hold what a step needs."""


class RegistryError(ManyModelsError):
    """A model registry cannot be reached, or a model in it fails its integrity check."""


class StoreError(ManyModelsError):
    """The result store cannot be reached or refuses a write."""


class PrerequisiteError(ManyModelsError):
    """The machine lacks something the platform needs, such as Java."""
