from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from many_models.core.forecast.pooled.sampling import DRAWS, ROWS_A_GROUP, category_columns
from many_models_tests.core.forecast.pooled.partitions import (
    DAYS,
    END,
    GROUPS,
    ORIGIN,
    USE_CASE,
    rows_of,
    series,
)
from many_models_tests.fakes import make_series, make_use_case

ORDER = [(name, "ascending") for name in ("group", "period", "draw")]


def _sorted(*tables: pa.Table) -> pd.DataFrame:
    rows = pa.concat_tables(tables).unify_dictionaries().sort_by(ORDER)
    texts = {name: rows[name].cast(pa.string()) for name in category_columns(USE_CASE)}
    lists = {name: list(rows[name].to_numpy()) for name in ("scaled", "plain")}
    frame = rows.drop_columns([*texts, *lists]).to_pandas()
    found: pd.DataFrame = frame.assign(
        **texts, **{name: [v.tobytes() for v in lists[name]] for name in lists}
    )
    return found


def test_rows_are_the_same_however_the_groups_are_spread_over_shards() -> None:
    parts = [dict(list(GROUPS.items())[n::3]) for n in range(3)]
    together, apart = rows_of(GROUPS), [rows_of(part, total=len(GROUPS)) for part in parts]
    pd.testing.assert_frame_equal(_sorted(*apart), _sorted(together))


def test_a_small_partition_gives_all_it_has() -> None:
    assert len(rows_of(GROUPS)) == len(GROUPS) * DAYS * DRAWS


def test_no_more_rows_than_asked_for_come_from_a_large_one() -> None:
    use_case = USE_CASE.model_copy(
        update={"pooled": USE_CASE.pooled.model_copy(update={"rows": 1_200})}
    )
    counts = pc.value_counts(rows_of(GROUPS, use_case)["group"]).to_pylist()
    assert {count["counts"] for count in counts} == {1_200 // len(GROUPS)}
    many = rows_of(GROUPS, use_case, total=600)  # these are some of many more
    sizes = {count["counts"] for count in pc.value_counts(many["group"]).to_pylist()}
    assert sizes <= {ROWS_A_GROUP}
    assert len(many) < 1_200 * len(GROUPS) / 600 * 10


def test_nothing_after_the_end_is_sampled_and_a_target_is_always_there() -> None:
    later = make_series(USE_CASE, str(END), [5.0] * 50, promo=[0.0] * 50)
    rows = rows_of({("a", "later"): later})
    assert pc.max(rows["period"]).as_py() == ORIGIN
    assert rows["target"].to_pylist() == [5.0] * DRAWS


def test_some_rows_look_at_less_than_there_is() -> None:
    seen = rows_of(GROUPS)["seen"].to_numpy()
    assert (seen == 0).any()
    assert (seen < 7).mean() > 0.05
    assert (seen > 60).mean() > 0.1


def test_groups_that_cannot_be_read_or_are_not_observed_have_no_rows() -> None:
    groups = {
        ("a", "good"): series(5, 0),
        ("a", "infinite"): make_series(USE_CASE, str(END), [float("inf")]),
        ("a", "nothing"): make_series(USE_CASE, str(END), [None]),
    }
    rows = rows_of(groups)
    assert rows["item"].unique().to_pylist() == ["good"]


def test_categories_are_keys_and_static_features() -> None:
    rows = rows_of({("a", "b"): series(5, 0, region="west")})
    assert rows.select(["store", "item", "region"]).slice(0, 1).to_pylist() == [
        {"store": "a", "item": "b", "region": "west"}
    ]
    assert make_use_case().features.static == ()
