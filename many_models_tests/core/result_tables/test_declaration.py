from __future__ import annotations

import json
from dataclasses import replace

import pytest

from many_models.core.reserved_columns import RESULT_COLUMNS
from many_models.core.result_tables.declaration import declare
from many_models.core.result_tables.spec import Table
from many_models.core.use_case import AnyUseCase
from many_models_tests.core.tabular.rows import make_flights
from many_models_tests.fakes import make_use_case

USE_CASES = [
    make_use_case(validation={"levels": [0.8, 0.975]}, features={"static": ["region"]}),
    make_flights("regression"),
    make_flights("classification"),
]


@pytest.mark.parametrize("use_case", USE_CASES, ids=lambda use_case: use_case.problem)
def test_every_column_says_what_it_is(use_case: AnyUseCase) -> None:
    for entry in declare(use_case).dictionary():
        assert len(entry.comment) > 3, entry
        assert "{" not in entry.comment, entry
        assert entry.grain.startswith("One row a"), entry


@pytest.mark.parametrize("use_case", USE_CASES, ids=lambda use_case: use_case.problem)
def test_no_key_column_can_bear_the_name_of_another_column(use_case: AnyUseCase) -> None:
    of_levels = use_case.result_columns
    own = {*use_case.keys, *use_case.static_columns, *use_case.row_id_columns}
    declaration = declare(use_case)
    for table in declaration.tables:
        names = [column.name for column in table.columns]
        assert len(names) == len(set(names))
        if own & set(names):
            assert set(names) - own <= RESULT_COLUMNS | of_levels


@pytest.mark.parametrize("use_case", USE_CASES, ids=lambda use_case: use_case.problem)
def test_keys_indexes_and_queries_speak_of_what_is_there(use_case: AnyUseCase) -> None:
    declaration = declare(use_case)
    for table in declaration.tables:
        for columns in (table.key, *table.indexes):
            assert set(columns) <= set(table.schema.names)
    for view in declaration.views:
        assert f'"{declaration.name(view.suffix)}"' in view.query
    suffixes = [table.suffix for table in declaration.tables]
    suffixes += [view.suffix for view in declaration.views]
    assert len(suffixes) == len(set(suffixes))
    assert max(len(f"{'x' * 40}_{suffix}") for suffix in suffixes) <= 63


def test_only_forecasts_have_pooled_models() -> None:
    has = [any(t.suffix == "pooled" for t in declare(use_case).tables) for use_case in USE_CASES]
    assert has == [True, False, False]


def test_intervals_are_columns_with_their_level_in_words() -> None:
    columns = {c.name: c.comment for c in declare(USE_CASES[0]).table("predictions").columns}
    assert columns["upper_97_5"].startswith("Upper bound of the 97.5 % prediction interval")


def test_the_config_goes_along_without_the_sources_url() -> None:
    secret = {"url": "postgresql://me:s3cret@db/shop", "table": "sales", "start": "2024-01-01"}
    declaration = declare(make_use_case(source=secret))
    config = json.loads(declaration.config)
    assert (config["horizon"], config["problem"]) == (7, "forecast")
    assert "s3cret" not in declaration.config
    assert type(USE_CASES[0]).model_validate(config).keys == ("store", "item")


def test_the_digest_tells_shapes_apart_and_takes_no_notice_of_the_config() -> None:
    one, other = declare(USE_CASES[0]), declare(make_use_case())
    assert one.digest == declare(USE_CASES[0]).digest != other.digest
    assert replace(one, config="{}").digest == one.digest
    commented: Table = replace(one.tables[0], grain="One row a thing")
    assert replace(one, tables=(commented, *one.tables[1:])).digest != one.digest
