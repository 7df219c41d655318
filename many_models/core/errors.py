"""The errors a user of the platform can act on.

Each message names the value at fault, the place it stands in and the remedy. Programming errors
stay ordinary Python exceptions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

REASONS_SHOWN = 20


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


class RequestError(ManyModelsError):
    """A request for predictions cannot be answered as it is: what is wrong with its rows."""


class NotReadyError(ManyModelsError):
    """A service cannot say yet what it is asked: it has not seen the registry since it started."""


class PrerequisiteError(ManyModelsError):
    """The machine lacks something the platform needs, such as Java."""


class PartitionsError(ManyModelsError):
    """Some partitions of a step failed; what it made of their neighbours is there, and is kept.

    ``reasons`` say by partition why, ``done`` is what the step would have returned.
    """

    def __init__(self, reasons: Mapping[str, str], done: Any) -> None:
        super().__init__(describe_failures(reasons))
        self.reasons = dict(reasons)
        self.done = done


def describe_failures(reasons: Mapping[str, str]) -> str:
    """Which partitions failed, and why, for people."""
    lines = [f"{name}: {text}" for name, text in sorted(reasons.items())[:REASONS_SHOWN]]
    more = len(reasons) - len(lines)
    head = "1 partition failed" if len(reasons) == 1 else f"{len(reasons)} partitions failed"
    return "\n".join([f"{head}:", *lines, *([f"... and {more} more"] if more else [])])


def raise_failed(errors: Mapping[str, ManyModelsError], done: Any, partitions: int) -> None:
    """Raise what went wrong in some of so many partitions; where there is one, its own error.

    Raises:
        PartitionsError: some of several failed.
    """
    if errors and partitions == 1:
        raise next(iter(errors.values()))
    if errors:
        raise PartitionsError({name: str(error) for name, error in errors.items()}, done)
