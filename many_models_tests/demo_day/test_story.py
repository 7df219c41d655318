"""A day in the life, with Spark and the registries: real sensors, real runs, a few small stores."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from many_models import settings
from many_models.core.use_case_file import load_use_case
from many_models.defs.instance import open_instance
from many_models.defs.resources import build_champions
from many_models.demo_day.retailer import Retailer
from many_models.demo_day.story import Story, play

pytestmark = [pytest.mark.spark, pytest.mark.mlflow, pytest.mark.timeout(900)]

DAY = timedelta(days=1)


@pytest.fixture
def retailer(home: Path) -> Retailer:
    return Retailer.founded(home / "demo", stores=4, items=5, history_days=75)


@pytest.fixture
def story(retailer: Retailer, home: Path, spark: SparkSession) -> Story:
    with open_instance(home) as instance:
        return play(retailer, instance, os.environ[settings.STORE], lambda _: None)


def test_sensors_do_what_a_day_asks_for_and_nothing_twice(story: Story, retailer: Retailer) -> None:
    arrival, rush, opening = story.chapters
    late, day = story.reported
    (run,) = arrival.refreshed
    assert (run.job, run.names) == ("day_refresh", (str(late), str(day)))
    assert arrival.retrained == ()

    (run,) = rush.refreshed
    assert run.names == tuple(str(day + DAY * n) for n in range(1, 14))
    failed = run.failed["accuracy_as_promised"]
    assert set(story.rushed) <= set(failed)
    assert len(failed) < 4  # by chance one more may, not all
    (run,) = rush.retrained
    assert (run.job, sorted(run.names)) == ("day_retrain", sorted(failed))

    (run,) = opening.retrained
    assert run.names == (story.opened,)

    assert [chapter.again for chapter in story.chapters] == [(), (), ()]
    requests = {str(row["partition"]): row for row in story.requests}
    reasons = {name: row["reason"] for name, row in requests.items()}
    assert reasons == dict.fromkeys(failed, "drift") | {story.opened: "new_groups"}
    assert {row["outcome"] for row in story.requests} <= {"trained", "no_better"}
    assert requests[story.opened]["trained"] == 5

    champions = build_champions(load_use_case(retailer.file), os.environ)
    newest = {c.name: c.tags["trained_through"][:10] for c in champions.champions("day")}
    promoted = sum(int(str(row["promoted"])) for row in story.requests)
    yesterday = str(day + DAY * 13)
    assert promoted >= 2
    assert list(newest.values()).count(yesterday) == promoted
