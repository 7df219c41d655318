"""A LightGBM booster that pickles small: as its compressed text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa

from many_models.core.arrays import Floats

if TYPE_CHECKING:
    from lightgbm import Booster


class StoredBooster:
    """LightGBM trees; pickled as their compressed text, which is parsed at the first prediction."""

    def __init__(self, booster: Booster) -> None:
        self._booster: Booster | None = booster
        self._text: tuple[bytes, int] | None = None

    @classmethod
    def reduced_to_predict(cls, booster: Booster) -> Self:
        """The same trees without what predicting does not need, in half the space.

        Values of leaves keep six digits. Gains stay, so that importances can be told.
        """
        text = _UNNEEDED.sub("", booster.model_to_string())
        reduced = _ROUNDED.sub(_round, text).encode()
        stored = cls.__new__(cls)
        stored.__setstate__((_compress(reduced), len(reduced)))
        return stored

    def predict_rows(self, x: Floats) -> Floats:
        """Predictions (n,) of feature rows (n, p)."""
        return np.asarray(self._opened().predict(x, num_threads=1), dtype=np.float64)

    def gains(self) -> list[float]:
        """What each feature (p) has gained in all splits."""
        gains: list[float] = self._opened().feature_importance("gain").tolist()
        return gains

    def _opened(self) -> Booster:
        if self._booster is None:
            from lightgbm import Booster

            self._booster = Booster(model_str=self.text())
        return self._booster

    def text(self) -> str:
        """The trees as LightGBM writes them into a file."""
        compressed, length = self.__getstate__()
        text = pa.decompress(compressed, decompressed_size=length, codec="zstd", asbytes=True)
        found: str = text.decode()
        return found

    def __getstate__(self) -> tuple[bytes, int]:
        if self._text is None:
            assert self._booster is not None  # there is a booster, or its text, or both
            self._text = _write_booster(self._booster)
        return self._text

    def __setstate__(self, text: tuple[bytes, int]) -> None:
        self._booster, self._text = None, text


_UNNEEDED = re.compile(
    "^(tree_sizes|internal_value|internal_weight|internal_count|leaf_weight|leaf_count)=.*\n"
    "|^parameters:\n(.*\n)*?end of parameters\n",
    re.MULTILINE,
)
_ROUNDED = re.compile("^(leaf_value=)(.*)$", re.MULTILINE)


def _round(line: re.Match[str]) -> str:
    return line[1] + " ".join(f"{float(value):.6g}" for value in line[2].split())


def _write_booster(booster: Booster) -> tuple[bytes, int]:
    text = booster.model_to_string().encode()
    return _compress(text), len(text)


def _compress(text: bytes) -> bytes:
    compressed: bytes = pa.compress(text, codec="zstd", asbytes=True)
    return compressed
