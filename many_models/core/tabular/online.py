"""Online predictions of independent rows: a row has its group's keys and the features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from many_models.core.arrays import Ints
from many_models.core.failure import Problem
from many_models.core.keys import group_key
from many_models.core.online import (
    BYTES_A_PAYLOAD_BYTE,
    Answer,
    Columns,
    GroupHistory,
    Key,
    OnlineShape,
    as_iso,
    labels,
    numbers,
)
from many_models.core.scoring import Champion
from many_models.core.tabular.dataset import as_features, read_rows
from many_models.core.tabular.model import TabularModel, fit_baseline
from many_models.core.tabular.scoring import load_champion
from many_models.core.tabular.use_case import TabularUseCase


def read_wanted(columns: Columns, use_case: TabularUseCase) -> pd.DataFrame:
    """The features of all rows; null is none, and whole numbers are categories as well as text is.

    Raises:
        RequestError: a column is missing, a number is none, or a category or the row's id is
            neither text nor a whole number.
    """
    found: dict[str, object] = {n: numbers(columns, n) for n in use_case.features.numeric}
    for name in use_case.features.categorical:
        found[name] = pd.Series(labels(columns, name), dtype=object)
    if use_case.row_id in columns:  # which comes back as it is
        labels(columns, use_case.row_id)
    numeric, categorical = use_case.features.numeric, use_case.features.categorical
    return as_features(pd.DataFrame(found), numeric, categorical)


@dataclass(frozen=True, slots=True)
class ReadyRows:
    """One group's champion."""

    champion: Champion
    model: TabularModel
    use_case: TabularUseCase
    size: int

    def answer(self, wanted: pd.DataFrame, rows: Ints) -> Answer | Problem:
        """Predictions of these rows."""
        return _answer(self.model, wanted, rows, self.use_case, self.champion, None)

    def describe(self) -> dict[str, object]:
        """The features that it is told, and the classes that it knows."""
        features = self.use_case.features
        return {
            "candidate": self.model.candidate,
            "origin": as_iso(_day(self.model, self.use_case)),
            "classes": list(self.model.classes),
            "columns": [*self.use_case.keys, *features.numeric, *features.categorical],
        }


def make_ready(champion: Champion, key: Key, use_case: TabularUseCase) -> ReadyRows:
    """What answers for ``champion``, the model of the group ``key``.

    Raises:
        ValueError: it is no model of this group as the use case has it now.
    """
    model = load_champion(champion, key, use_case)
    size = len(champion.payload or b"") * BYTES_A_PAYLOAD_BYTE
    return ReadyRows(Champion(champion.name, champion.version, None), model, use_case, size)


def score_history(
    history: GroupHistory,
    wanted: pd.DataFrame,
    rows: Ints,
    key: Key,
    champions: Mapping[str, Champion],
    use_case: TabularUseCase,
    partition: str,
) -> Answer | Problem:
    """Predictions by the champion, else by the baseline of the targets that the group has had."""
    champion = champions.get(group_key(use_case.keys, key))
    problem = Problem("no_champion", "no model of this group is in production")
    if champion is not None:
        try:
            return make_ready(champion, key, use_case).answer(wanted, rows)
        except Exception as error:
            text = f"{champion.name}: {type(error).__name__}: {error}"
            problem = Problem("champion_failed", text)
    known = read_rows(history.rows, use_case)
    if found := known.problems.get(0):
        return found
    day = int(use_case.frequency.to_period(np.array([history.data_through]))[0])
    labelled = known.labelled(0, day) if len(known.keys) else np.empty(0, np.int64)
    if not len(labelled):
        text = f"{problem.error}, and no row has a {use_case.target}"
        return Problem("no_observations", text)
    model = fit_baseline(use_case, key, known.target[labelled], day)
    return _answer(model, wanted, rows, use_case, None, problem)


def _answer(
    model: TabularModel,
    wanted: pd.DataFrame,
    rows: Ints,
    use_case: TabularUseCase,
    champion: Champion | None,
    problem: Problem | None,
) -> Answer:
    found = model.predict(wanted.iloc[rows])
    return Answer(
        source="baseline" if champion is None else "model",
        candidate=model.candidate,
        champion=champion,
        problem=problem,
        origin=_day(model, use_case),
        columns={str(name): found[name].to_numpy() for name in found.columns},
    )


def _day(model: TabularModel, use_case: TabularUseCase) -> np.datetime64:
    moment: np.datetime64 = use_case.frequency.to_time(np.array([model.origin]))[0]
    return moment


def online_shape(use_case: TabularUseCase) -> OnlineShape:
    """How rows are answered; a row may carry its id, which comes back."""
    of_classes = () if use_case.target_is_number else ("probability", "probabilities")
    return OnlineShape(
        read_wanted,
        make_ready,
        score_history,
        row_columns=(use_case.row_id,),
        predicted=("prediction", *of_classes),
    )
