from __future__ import annotations

from many_models.core.champion_index import ChampionChanges, ChampionIndex, IndexedChampion


def champion(
    name: str, version: int = 1, key: str | None = None, partition: str = "p"
) -> IndexedChampion:
    return IndexedChampion(name, version, key, partition, f"/models/{name}/{version}", "ab" * 32)


def test_champions_are_found_by_key_and_pooled_models_by_partition() -> None:
    found = ChampionIndex().with_changes(
        ChampionChanges((champion("a", key="item=a"), champion("a~pooled", partition="q")))
    )
    assert found.by_key == {"item=a": champion("a", key="item=a")}
    assert found.pooled == {"q": champion("a~pooled", partition="q")}
    assert found.versions == {"a": 1, "a~pooled": 1}


def test_changes_replace_and_remove_and_leave_the_index_before_as_it_was() -> None:
    before = ChampionIndex().with_changes(
        ChampionChanges(tuple(champion(name, key=f"item={name}") for name in "abc"))
    )
    after = before.with_changes(ChampionChanges((champion("a", 2, "item=a"),), ("b",)))
    assert after.versions == {"a": 2, "c": 1}
    assert before.versions == {"a": 1, "b": 1, "c": 1}


def test_a_model_whose_key_changes_is_found_by_the_new_one_alone() -> None:
    before = ChampionIndex().with_changes(ChampionChanges((champion("a", key="item=a"),)))
    after = before.with_changes(ChampionChanges((champion("a", 2, "item=b"),)))
    assert list(after.by_key) == ["item=b"]
