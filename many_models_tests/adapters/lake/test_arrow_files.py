from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from pyarrow.fs import LocalFileSystem

from many_models.adapters.lake.arrow_files import (
    delete_folder,
    read_parquet,
    stream_parquet,
    write_parquet,
)

ROWS = pa.table({"a": ["x", "y", None], "b": [1.0, None, 3.0]})


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = f"{tmp_path}/deep/down/rows.parquet"
    assert write_parquet(ROWS, path) == Path(path).stat().st_size
    assert read_parquet(path).equals(ROWS)
    assert read_parquet(path, ["b"]).equals(ROWS.select(["b"]))


def test_a_stream_is_written_like_a_table_and_by_url_too(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/rows.parquet"
    write_parquet(ROWS.to_reader(max_chunksize=2), url)
    assert read_parquet(url).equals(ROWS)


def test_files_are_streamed_one_after_the_other_in_the_columns_asked_for(tmp_path: Path) -> None:
    paths = [f"{tmp_path}/{number}.parquet" for number in range(3)]
    for path in paths:
        write_parquet(ROWS, path)
    schema = pa.schema([("b", pa.float64())])
    assert (
        stream_parquet(paths, schema).read_all().equals(pa.concat_tables([ROWS.select(["b"])] * 3))
    )
    assert stream_parquet([], schema).read_all().num_rows == 0


def test_a_folder_is_deleted_with_all_it_holds_or_not_there_at_all(tmp_path: Path) -> None:
    write_parquet(ROWS, f"{tmp_path}/folder/deep/rows.parquet")
    delete_folder(f"{tmp_path}/folder", LocalFileSystem())
    delete_folder(f"{tmp_path}/folder", LocalFileSystem())
    assert list(tmp_path.iterdir()) == []
