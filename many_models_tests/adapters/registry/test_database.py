from __future__ import annotations

import multiprocessing
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from many_models.adapters.registry.database import RegistryDatabase

CONNECTION = "SELECT pg_backend_pid()"


@pytest.mark.postgres
def test_queries_share_a_connection_that_is_in_no_transaction(postgres_url: str) -> None:
    database = RegistryDatabase(postgres_url)
    connections = {database.query(CONNECTION)[0] for _ in range(5)}

    others = RegistryDatabase(postgres_url).query(
        "SELECT pid, state FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    assert others == [(*connection, "idle") for connection in connections]


@pytest.mark.postgres
def test_a_connection_that_the_server_closed_is_replaced(postgres_url: str) -> None:
    database = RegistryDatabase(postgres_url)
    ((first,),) = database.query(CONNECTION)
    RegistryDatabase(postgres_url).query("SELECT pg_terminate_backend(?)", [first])

    assert database.query(CONNECTION) != [(first,)]


@pytest.mark.postgres
def test_a_forked_process_opens_connections_of_its_own(postgres_url: str) -> None:
    database = RegistryDatabase(postgres_url)
    first = database.query(CONNECTION)

    fork = multiprocessing.get_context("fork")
    answers = fork.SimpleQueue()
    child = fork.Process(target=lambda: answers.put(database.query(CONNECTION)))
    child.start()
    child.join()

    assert child.exitcode == 0
    assert answers.get() != first
    assert database.query(CONNECTION) == first


def test_queries_see_what_others_have_written(tmp_path: Path) -> None:
    database = RegistryDatabase(f"sqlite:///{tmp_path}/a.db")
    with closing(sqlite3.connect(tmp_path / "a.db")) as other:
        other.execute("CREATE TABLE found (name)")
        assert database.query("SELECT * FROM found") == []

        other.execute("INSERT INTO found VALUES ('a'), ('b')")
        other.commit()

        assert database.query("SELECT name FROM found WHERE name > ?", ["a"]) == [("b",)]
