from __future__ import annotations

from datetime import UTC, datetime

import pytest

from many_models.core.errors import UseCaseError
from many_models.core.registration import ModelVersion
from many_models.core.rollback import (
    ChampionChange,
    ChampionHistory,
    Rollback,
    latest_promotion,
    plan_rollback,
)

RUNS = {1: "r1", 2: "r2", 3: "r3", 4: "r4"}


def version(
    number: int, replaces: int | str | None = None, name: str = "a", **tags: str
) -> ModelVersion:
    replaced = {} if replaces is None else {"replaces": str(replaces)}
    known = {"partition": "17", "partition_key": f"item={name}", "promoted_by": RUNS[number]}
    known |= {"promoted_at": f"2026-01-0{number}T00:00:00.000+00:00"}
    return ModelVersion(name, number, "", "", {**known, **replaced, **tags})


def undone(
    number: int, replaces: int | None = None, name: str = "a", by: str = "other"
) -> ModelVersion:
    return version(number, replaces, name, rolled_back_at="2026-01-05", rollback_id=by)


def history(champion: int | None, *versions: ModelVersion) -> dict[str, ChampionHistory]:
    return {versions[0].name: ChampionHistory(versions[0].name, champion, versions)}


def targets(
    chosen: list[ModelVersion], histories: dict[str, ChampionHistory], rollback_id: str = "mine"
) -> dict[int, int | None]:
    changes = plan_rollback(chosen, histories, rollback_id).changes
    return {change.from_version: change.to_version for change in changes}


def test_a_champion_gives_way_to_the_one_that_it_replaced() -> None:
    old, new = version(1), version(2, replaces=1)
    plan = plan_rollback([new], history(2, old, new), "mine")
    assert plan.changes == (ChampionChange("a", "item=a", "17", 2, 1),)
    assert (plan.done, plan.superseded, plan.undone) == ((), (), ())


def test_a_first_champion_gives_way_to_the_baseline() -> None:
    assert targets([version(1)], history(1, version(1))) == {1: None}


def test_rolling_back_again_goes_one_further_and_never_forth() -> None:
    versions = version(1), version(2, replaces=1), undone(3, replaces=2)
    assert targets([versions[1]], history(2, *versions)) == {2: 1}
    later = versions[0], undone(2, replaces=1), versions[2]
    assert targets([versions[0]], history(1, *later)) == {1: None}


def test_what_was_promoted_after_a_rollback_gives_way_to_what_was_champion_then() -> None:
    versions = version(1), undone(2, replaces=1), version(3, replaces=1)
    assert targets([versions[2]], history(3, *versions)) == {3: 1}


def test_a_version_that_was_rolled_back_is_passed_over() -> None:
    versions = version(1), undone(2, replaces=1), version(3, replaces=2)
    assert targets([versions[2]], history(3, *versions)) == {3: 1}
    first = undone(1), version(2, replaces=1)
    assert targets([first[1]], history(2, *first)) == {2: None}


def test_for_a_version_that_was_deleted_the_next_older_champion_stands() -> None:
    stray = ModelVersion("a", 2, "", "", {"partition": "17"})  # never promoted
    versions = version(1), stray, version(4, replaces=3)
    assert targets([versions[2]], history(4, *versions)) == {4: 1}
    assert targets([versions[2]], history(4, versions[2])) == {4: None}


@pytest.mark.parametrize("nonsense", ["", "x", "-1", "2", "9"])
def test_what_no_version_can_have_replaced_is_not_followed(nonsense: str) -> None:
    odd = version(2, replaces=nonsense)
    assert targets([odd], history(2, version(1), odd)) == {2: None}


def test_a_model_that_was_in_another_partition_goes_back_there() -> None:
    old, new = version(1, partition="16"), version(2, replaces=1)
    (change,) = plan_rollback([new], history(2, old, new), "mine").changes
    assert (change.partition, change.to_partition) == ("17", "16")


def test_models_with_a_later_champion_stay_and_so_do_those_rolled_back_before() -> None:
    superseded = history(2, version(1), version(2, replaces=1))
    before = history(None, undone(1, name="b"))
    current = history(1, version(1, name="c"))
    histories = superseded | before | current
    plan = plan_rollback([h.versions[0] for h in histories.values()], histories, "mine")
    assert [change.name for change in plan.changes] == ["c"]
    assert (plan.superseded, plan.undone) == (("a",), ("b",))


def test_tried_again_the_same_rollback_does_only_what_is_left() -> None:
    done = history(1, version(1), undone(2, replaces=1, by="mine"))
    marked = history(2, version(1, name="b"), undone(2, replaces=1, name="b", by="mine"))
    histories = done | marked
    chosen = [done["a"].versions[0], marked["b"].versions[1]]

    plan = plan_rollback(chosen, histories, "mine")

    assert [(c.name, c.to_version) for c in plan.changes] == [("b", 1)]
    assert plan.done == ("a",)
    assert targets(chosen, histories, "another") == {1: None, 2: 1}


def test_the_latest_promotion_is_that_of_the_run_which_promoted_last() -> None:
    old, new, new_too = version(1, name="a"), version(2, name="b"), version(2, name="c")
    assert latest_promotion([old, new, new_too]) == [new, new_too]
    assert latest_promotion([old]) == [old]
    assert latest_promotion([]) == []


def test_champions_of_old_are_told_apart_by_the_run_that_trained_them() -> None:
    tags = {"partition": "17", "dagster_run_id": "t1"}
    old = [ModelVersion(name, 1, "", "", tags) for name in ("a", "b")]
    assert latest_promotion(old) == old
    assert latest_promotion([*old, version(2, name="c")]) == [version(2, name="c")]


def test_the_mark_of_a_rollback_is_written_last() -> None:
    rollback = Rollback("id", datetime(2026, 1, 5, tzinfo=UTC), "ann", "bad prices")
    tags = rollback.tags(ChampionChange("a", "item=a", "17", 2, None))
    assert list(tags) == [
        "rollback_id",
        "rolled_back_by",
        "rolled_back_to",
        "rollback_reason",
        "rolled_back_at",
    ]
    assert tags["rolled_back_to"] == "baseline"
    assert tags["rolled_back_at"] == "2026-01-05T00:00:00.000+00:00"


@pytest.mark.parametrize("reason", ["", "  ", "x" * 2001, "nul \0"])
def test_a_rollback_needs_a_reason_that_can_be_kept(reason: str) -> None:
    with pytest.raises(UseCaseError, match="needs a reason"):
        Rollback("id", datetime(2026, 1, 5, tzinfo=UTC), "ann", reason)
