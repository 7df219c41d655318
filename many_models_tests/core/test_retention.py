from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from many_models.core.registration import ModelVersion
from many_models.core.retention import Pack, choose_expendable, review_packs

NOW = datetime(2026, 1, 10, tzinfo=UTC)
DAY = timedelta(days=1)


def trained(name: str, number: int) -> ModelVersion:
    digest = f"sha of {name} {number}"
    return ModelVersion(name, number, f"run-{name}-{number}", "", {"payload_sha256": digest})


def promoted(origin: ModelVersion, number: int = 1, **tags: str) -> ModelVersion:
    own = {"training_run": origin.run_id, "training_version": str(origin.version)}
    return ModelVersion(origin.name, number, f"production-{number}", "", own | tags)


def numbers(versions: list[ModelVersion]) -> list[int]:
    return [version.version for version in versions]


def test_the_last_versions_of_each_model_stay() -> None:
    versions = [trained(name, number) for name in "ba" for number in (3, 1, 4, 2)]
    found = choose_expendable(versions, [], keep=3)
    assert [(v.name, v.version) for v in found] == [("a", 1), ("b", 1)]


def test_a_model_with_few_versions_keeps_them_all() -> None:
    assert choose_expendable([trained("a", 7), trained("a", 9)], [], keep=3) == []


def test_what_was_ever_promoted_stays_and_does_not_count_among_the_last() -> None:
    versions = [trained("a", number) for number in range(1, 7)]
    production = [promoted(versions[0], 1), promoted(versions[2], 2)]
    assert numbers(choose_expendable(versions, production, keep=2)) == [2, 4]


@pytest.mark.parametrize(
    "tags",
    [
        {"training_run": "run-a-1"},
        {"training_version": "1"},
        {"payload_sha256": "sha of a 1"},
    ],
)
def test_any_trace_of_a_promotion_is_enough(tags: dict[str, str]) -> None:
    versions = [trained("a", number) for number in (1, 2, 3)]
    production = [ModelVersion("a", 1, "p", "", tags)]
    assert numbers(choose_expendable(versions, production, keep=1)) == [2]


def test_training_the_same_model_again_does_not_protect_it() -> None:
    first = trained("a", 1)
    again = [ModelVersion("a", n, f"run-a-{n}", "", first.tags) for n in (2, 3)]
    production = [promoted(first, payload_sha256=first.tags["payload_sha256"])]
    assert numbers(choose_expendable([first, *again], production, keep=1)) == [2]


def test_numbers_of_another_model_protect_nothing() -> None:
    versions = [trained("a", 1), trained("a", 2)]
    production = [promoted(trained("b", 1)), ModelVersion("a", 1, "p", "", {})]
    assert numbers(choose_expendable(versions, production, keep=1)) == [1]


def test_to_keep_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="keeps one version at least"):
        choose_expendable([trained("a", 1)], [], keep=0)


@pytest.mark.parametrize("seed", range(50))
def test_whatever_happened_nothing_goes_that_is_last_or_was_promoted(seed: int) -> None:
    dice = random.Random(seed)
    versions = [trained(f"m{m}", n) for m in range(5) for n in range(1, dice.randint(2, 9))]
    production = [promoted(v, n) for n, v in enumerate(dice.sample(versions, len(versions) // 3))]
    keep = dice.randint(1, 4)
    dice.shuffle(versions)

    gone = choose_expendable(versions, production, keep)

    stay = [version for version in versions if version not in gone]
    assert {p.tags["training_run"] for p in production} <= {version.run_id for version in stay}
    for name in {version.name for version in versions}:
        of_name = sorted(v.version for v in versions if v.name == name)
        assert set(of_name[-keep:]) <= {v.version for v in stay if v.name == name}
    runs = {p.tags["training_run"] for p in production}
    needless = [v for v in stay if v.run_id not in runs]
    assert all(sum(v.name == n.name for n in needless) <= keep for v in needless)


def pack(name: str, age: timedelta, size: int = 100) -> Pack:
    return Pack(name, f"file:///packs/{name}", size, NOW - age)


def test_packs_are_sorted_by_who_needs_them_and_by_age() -> None:
    old, new, used, half, abroad = (
        pack(name, age)
        for name, age in [
            ("old", 3 * DAY),
            ("new", DAY),
            ("used", 9 * DAY),
            ("half", 9 * DAY),
            ("abroad", 9 * DAY),
        ]
    )
    found = review_packs(
        [old, new, used, half, abroad],
        living={"used": 5, "half": 1},
        dead={"half": 3, "old": 2, "new": 1},
        protected={"abroad"},
        before=NOW - 2 * DAY,
    )
    assert found.orphans == (old,)
    assert found.young == (new,)
    assert found.held == ((half, 0.75),)
