"""Whose secrets a service of ``compose.yaml`` holds, and what it may do with them."""

from __future__ import annotations

import json

from many_models_tests.deploy.manifests import DEPLOY, placeholders, services

OURS = {
    *("setup", "code", "webserver", "daemon"),
    *("mlflow-training", "mlflow-production", "serving", "results"),
}


def test_only_promotion_holds_what_may_write_to_production() -> None:
    holders = {
        secret: {name for name, s in services().items() if secret in placeholders(json.dumps(s))}
        for secret in ("PROMOTER_PASSWORD", "READER_PASSWORD", "TRAINER_PASSWORD")
    }
    assert holders == {
        "PROMOTER_PASSWORD": {"postgres", "setup", "code"},
        "READER_PASSWORD": {
            *("postgres", "setup", "code", "mlflow-production", "serving", "results"),
        },
        "TRAINER_PASSWORD": {"postgres", "setup", "code", "mlflow-training"},
    }


def test_who_only_reads_production_cannot_write_its_files() -> None:
    for name in ("serving", "mlflow-production"):
        assert "production:/data/production:ro" in services()[name]["volumes"]


def test_the_environment_file_names_all_that_is_filled_in_and_holds_no_secret() -> None:
    lines = (DEPLOY / ".env.example").read_text().splitlines()
    named = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert named.keys() == placeholders((DEPLOY / "compose.yaml").read_text())
    assert {name for name, value in named.items() if value} == {
        "IMAGE",
        "RESULTS_URL",
        "SERVED_USE_CASE",
        "SPARK_SESSIONS",
    }


def test_the_roles_that_urls_name_are_made_with_the_passwords_they_get() -> None:
    script = (DEPLOY / "postgres" / "create-databases.sh").read_text()
    given = services()["postgres"]["environment"]
    for role in ("dagster", "results", "trainer", "promoter", "reader", "accounts"):
        assert f"CREATE ROLE {role} LOGIN PASSWORD :'{role}';" in script
        assert given[f"{role.upper()}_PASSWORD"].startswith(f"${{{role.upper()}_PASSWORD:?")


def test_services_are_bounded_checked_and_without_privileges() -> None:
    found = services()
    assert found.keys() == OURS | {"postgres"}
    for name, service in found.items():
        assert {"cpus", "memory"} == service["deploy"]["resources"]["limits"].keys(), name
        assert name == "setup" or "healthcheck" in service, name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    for name in OURS:
        assert (found[name]["cap_drop"], found[name]["read_only"]) == (["ALL"], True), name
