"""Production with credentials of its own: who holds only the reader's can do all but promote."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.pack_repository import PackRepository
from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.core.errors import RegistryError
from many_models.steps.promote import find_unqualified, promote_partitions
from many_models.steps.status import read_status
from many_models_tests.conftest import PostgresServer
from many_models_tests.fakes import Columns, make_series, make_use_case, noisy_weeks
from many_models_tests.fakes_models import constant_record
from many_models_tests.pipelines import Pipeline

pytestmark = [pytest.mark.spark, pytest.mark.mlflow, pytest.mark.postgres]

USE_CASE = make_use_case(
    validation={"min_observations": 60}, candidates=["seasonal_naive", "ridge"]
)
DAYS = 100
ORIGIN = datetime(2024, 4, 9)


@dataclass(frozen=True)
class ApartPipeline(Pipeline):
    """A pipeline whose production is elsewhere, and read with other credentials than written."""

    writer_url: str = ""
    reader_url: str = ""

    @property
    def production(self) -> MlflowRegistry:
        return MlflowRegistry(self.writer_url, str(self.folder / "packs-of-production"), "sales")

    @property
    def champions(self) -> ReadableRegistry:
        return ReadableRegistry(self.reader_url, "sales")


@pytest.fixture
def reader_url(postgres_server: PostgresServer, postgres_url: str) -> Iterator[str]:
    """URL of a role that may SELECT what there is and what will be, and nothing else."""
    engine = sa.create_engine(
        postgres_url.replace("postgresql:", "postgresql+psycopg2:"), poolclass=NullPool
    )
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE ROLE reader LOGIN"))
        grant = "ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT SELECT ON TABLES TO reader"
        connection.execute(sa.text(grant))
    yield postgres_url.replace("postgres@", "reader@")
    with engine.begin() as connection:
        connection.execute(sa.text("DROP OWNED BY reader"))
        connection.execute(sa.text("DROP ROLE reader"))


@pytest.fixture
def pipeline(
    make_pipeline: Callable[..., Pipeline], postgres_url: str, reader_url: str
) -> ApartPipeline:
    made = make_pipeline(USE_CASE)
    (made.folder / "production" / "mlflow.db").unlink()
    apart = ApartPipeline(made.folder, USE_CASE, made.spark, postgres_url, reader_url)
    groups: dict[tuple[str, ...], Columns] = {
        ("s1", item): make_series(USE_CASE, "2024-01-01", noisy_weeks(DAYS, seed))
        for seed, item in enumerate("ab")
    }
    apart.ingest(groups)
    apart.group("s1")
    return apart


def test_a_reader_trains_judges_and_scores_from_the_first_run_on(pipeline: ApartPipeline) -> None:
    pipeline.train("s1", run_id="first")
    assert pipeline.judge("s1")["s1"].judged == 2  # before production has a single table
    assert pipeline.score(ORIGIN).by_baseline == 2

    pipeline.promote("s1")
    pipeline.train("s1", run_id="second")

    assert pipeline.judge("s1")["s1"].judged == 2
    rivals = [
        row["champion_score"] for row in pipeline.rows("verdicts") if row["run_id"] != "first"
    ]
    assert None not in rivals
    assert pipeline.score(ORIGIN).by_model == 2
    assert read_status(pipeline.results, pipeline.champions).champions == 2
    unqualified = find_unqualified(USE_CASE, ["s1"], pipeline.champions, pipeline.results)
    assert unqualified == {"s1": []}


def test_the_database_refuses_whatever_a_reader_writes(pipeline: ApartPipeline) -> None:
    pipeline.train("s1")
    pipeline.promote("s1")
    before = pipeline.champions.champions("sales")
    as_reader = MlflowRegistry(pipeline.reader_url, str(pipeline.folder / "elsewhere"), "sales")

    with pytest.raises(RegistryError, match="permission denied"):
        list(as_reader.register([constant_record("a")], alias="champion"))
    pipeline.train("s1", run_id="second")
    pipeline.judge("s1")
    with pytest.raises(RegistryError, match="permission denied"):
        promote_partitions(
            USE_CASE,
            ["s1"],
            training=pipeline.training,
            production=as_reader,
            results=pipeline.results,
            run_id="second",
        )

    assert pipeline.champions.champions("sales") == before
    engine = sa.create_engine(as_reader.uri, poolclass=NullPool)
    with closing(engine.connect()) as connection:
        names = sa.inspect(connection).get_table_names()
        rights = "INSERT, UPDATE, DELETE, TRUNCATE"
        found = sa.text("SELECT count(*) FROM unnest(:names) t WHERE has_table_privilege(t, :r)")
        writable = connection.execute(found, {"names": names, "r": rights}).scalar()
    assert (len(names) > 50, writable) == (True, 0)


def test_scoring_goes_on_when_the_whole_training_registry_is_gone(
    pipeline: ApartPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow
    from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry

    monkeypatch.setitem(_artifact_repository_registry._registry, "pack+file", PackRepository)
    pipeline.train("s1")
    pipeline.promote("s1")
    shutil.rmtree(pipeline.folder / "training")

    assert pipeline.score(ORIGIN).by_model == 2
    (champion, _) = pipeline.champions.champions("sales")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", pipeline.champions.uri)
    served = mlflow.pyfunc.load_model(f"models:/{champion.name}@champion")
    assert served.metadata.run_id == champion.run_id
    assert served.metadata.signature is not None
