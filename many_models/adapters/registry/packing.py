"""Writing models into packs where they are made: what a Spark task needs to know, and does.

Runs on the executors, so it imports no MLflow: the files that describe the models are made once on
the driver, and travel with the task. Rows are written by whoever registers the models afterwards.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from many_models.adapters.registry.artifact_template import ArtifactTemplate, Identity
from many_models.adapters.registry.model_artifact import EXPLANATION_FILE
from many_models.adapters.registry.packs import NO_FILES, PackWriter
from many_models.core.registration import StoredModel
from many_models.core.shapes import Model

Store = Callable[[bytes, str, bytes], StoredModel]
"""Takes a payload, its SHA-256 in hexadecimal, and the text of its explanation."""


@dataclass(frozen=True, slots=True)
class Packing:
    """The folder for packs (a URI), and the files that describe each model to MLflow."""

    folder: str
    template: ArtifactTemplate

    @classmethod
    def of_models_like(cls, specimen: Model, folder: str) -> Packing:
        """For models that differ from ``specimen`` only in what they have learnt; asks MLflow."""
        return cls(folder, ArtifactTemplate.from_model(specimen, specimen.example()))

    @contextmanager
    def open(self) -> Iterator[Store]:
        """Function that puts a payload, its SHA-256 and its explanation into a pack.

        What it was given is there for good when the block has ended; nothing is when it failed.

        Raises:
            OSError: a pack cannot be written from here.
        """
        with PackWriter(self.folder) as packs:

            def store(payload: bytes, sha256: str, explanation: bytes) -> StoredModel:
                own = {EXPLANATION_FILE: explanation} if explanation else {}
                with self._naming_the_place():
                    return store_model(packs, self.template, payload, sha256, own)

            yield store
            with self._naming_the_place():
                packs.seal()

    @contextmanager
    def _naming_the_place(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(
                f"a Spark task cannot write packs to {self.folder} ({error}); let the registry's "
                "artifact folder be one that every executor reaches and may write"
            ) from error


def store_model(
    packs: PackWriter,
    template: ArtifactTemplate,
    payload: bytes,
    sha256: str,
    own: Mapping[str, bytes] = NO_FILES,
) -> StoredModel:
    """Give a model its ids and append it to ``packs``; it is there for good once they are sealed.

    ``own`` are text files of this model alone, by name.

    Raises:
        OSError: when the pack cannot be written.
    """
    # Ids in the order of time keep the tables' indexes compact.
    ordered, digits = f"{time.time_ns() // 1_000_000:012x}", os.urandom(20).hex()
    run_id, model_id = ordered + digits[:20], f"m-{ordered}{digits[20:]}"

    def describe(location: str) -> bytes:
        return template.describe(Identity(location, model_id, run_id), len(payload))

    location = packs.append(payload, template.environment, describe, own)
    return StoredModel(location, run_id, model_id, sha256)
