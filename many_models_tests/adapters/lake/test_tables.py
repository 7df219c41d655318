from __future__ import annotations

from pathlib import Path

from many_models.adapters.lake.tables import Lake
from many_models_tests.fakes import make_use_case


def test_every_use_case_has_its_tables_below_the_root() -> None:
    lake, use_case = Lake("/data/lake/"), make_use_case(name="bread")
    assert lake.raw_data(use_case).uri == "/data/lake/bread/raw_data"
    assert lake.grouped_datasets(use_case).uri == "/data/lake/bread/grouped_datasets"


def test_scratch_is_beside_the_tables_and_gone_afterwards(tmp_path: Path) -> None:
    with Lake(str(tmp_path)).scratch(make_use_case(name="bread"), "training") as scratch:
        Path(scratch.uri).mkdir()
        assert Path(scratch.uri).parent == tmp_path / "bread" / "scratch"
    assert not Path(scratch.uri).exists()
