"""Who may register models through a server: what MLflow's own calls would ask of the same user.

MLflow authenticates every request before we see it. Here is what it would check, call by call, for
the same registration without us, asked for thousands of models at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any, Protocol


class Permissions(Protocol):
    """Whether the user of the current request may do something.

    Each ``require_...`` raises ``MlflowException`` (403) when not.
    """

    def require_reader(self, experiment_id: str) -> None:
        """The user may see that experiment."""
        ...

    def require_editor(self, experiment_id: str) -> None:
        """The user may add runs and logged models to that experiment."""
        ...

    def require_writer(
        self, names: Collection[str], known: Collection[str], *, moves_alias: bool
    ) -> None:
        """The user may update those of the models that are ``known``, and make the others."""
        ...

    def hand_over(self, names: Collection[str]) -> None:
        """Make the user manager of models that the request made, as MLflow makes creators."""
        ...


class BasicAuthPermissions:
    """The permissions of ``mlflow.server.auth``."""

    def take_charge_of(self, path: str) -> None:
        """Tell MLflow that requests to ``path`` are authorized here; it still authenticates them.

        With ``MLFLOW_BASIC_AUTH_FAIL_CLOSED`` it refuses what nobody takes charge of.
        """
        from mlflow.server import auth

        for method in ("GET", "POST"):
            auth.BEFORE_REQUEST_VALIDATORS[(path, method)] = lambda: True

    def require_reader(self, experiment_id: str) -> None:
        from mlflow.server.auth.requirements import Requirement

        self._require_experiment(experiment_id, [Requirement("experiment", experiment_id, "read")])

    def require_editor(self, experiment_id: str) -> None:
        from mlflow.server.auth.requirements import ACTION_NOT_DENIED, Requirement

        requirements = [
            Requirement("experiment", experiment_id, "update"),
            Requirement("run", "*", ACTION_NOT_DENIED),
            Requirement("logged_model", "*", ACTION_NOT_DENIED),
        ]
        self._require_experiment(experiment_id, requirements)

    def require_writer(
        self, names: Collection[str], known: Collection[str], *, moves_alias: bool
    ) -> None:
        from mlflow.server.auth.requirements import ACTION_NOT_DENIED, Requirement

        if _is_admin():
            return
        grants = _Grants(_user())
        for name in names:
            model = ("registered_model", name)
            action = "update" if name in known else ACTION_NOT_DENIED
            wanted = [
                Requirement(*model, action),
                Requirement("registered_model_version", "*", ACTION_NOT_DENIED),
            ]
            if moves_alias and name in known:
                wanted.append(
                    Requirement("registered_model_version", "*", "read", (model,)),
                )
            if not grants.allow(name, wanted):
                _deny(f"registered model {name!r}")

    def hand_over(self, names: Collection[str]) -> None:
        from mlflow import MlflowException
        from mlflow.server import auth
        from mlflow.server.auth.permissions import MANAGE
        from mlflow.server.auth.requirements import Requirement

        if _is_admin():
            return
        user = _user()
        grants = _Grants(user)
        wanted = [
            name
            for name in sorted(names)
            if not grants.allow(name, [Requirement("registered_model", name, "manage")])
        ]
        try:
            _grant_new(user, [name for name in wanted if not grants.has(name)])
            wanted = [name for name in wanted if grants.has(name)]
        except MlflowException:  # somebody granted one of them meanwhile: one by one, then
            pass
        for name in wanted:
            auth.store.grant_user_permission(user, "registered_model", name, MANAGE.name)

    def _require_experiment(self, experiment_id: str, requirements: list[Any]) -> None:
        from mlflow.server import auth

        if _is_admin():
            return
        if not auth.authorize(_user(), ("experiment", experiment_id), requirements):
            _deny(f"experiment {experiment_id}")


class _Grants:
    """What a user was granted on registered models: loaded once, and looked up by name.

    MLflow goes through all grants for every model, and a user who registers models one by one has a
    grant for each.
    """

    def __init__(self, username: str) -> None:
        from mlflow.server import auth
        from mlflow.server.auth.requirements import is_workspace_admin_grant
        from mlflow.utils.workspace_utils import DEFAULT_WORKSPACE_NAME

        types = {"registered_model", "registered_model_version"}
        found = auth.store.list_grants(
            auth.store.get_user(username).id, DEFAULT_WORKSPACE_NAME, types
        )
        self._everything = any(is_workspace_admin_grant(grant) for grant in found)
        self._by_pattern: dict[str, list[Any]] = defaultdict(list)
        for grant in found:
            self._by_pattern[grant.resource_pattern].append(grant)

    def has(self, name: str) -> bool:
        """Whether something was granted on this very model."""
        return name in self._by_pattern

    def allow(self, name: str, requirements: list[Any]) -> bool:
        from mlflow.server import auth
        from mlflow.server.auth.permissions import get_permission
        from mlflow.server.auth.requirements import (
            fold_grants_for_key,
            requirement_satisfied,
            requirement_to_grant_load_keys,
        )

        default = auth.auth_config.default_permission
        grants = [*self._by_pattern.get("*", ()), *self._by_pattern.get(name, ())]
        return self._everything or all(
            requirement_satisfied(
                requirement,
                {
                    key: fold_grants_for_key(grants, key)
                    for key in requirement_to_grant_load_keys(requirement)
                },
                default,
                get_permission(default),
            )
            for requirement in requirements
        )


def _grant_new(username: str, names: list[str]) -> None:
    """Make the user manager of models that nothing was granted on, all at once.

    MLflow's own call takes some milliseconds a model.
    """
    from mlflow.server import auth
    from mlflow.server.auth.db.models import SqlRolePermission
    from mlflow.server.auth.permissions import MANAGE
    from mlflow.utils.workspace_utils import DEFAULT_WORKSPACE_NAME

    with auth.store.ManagedSessionMaker(read_only=False) as session:
        role = auth.store._get_or_create_synthetic_user_role(
            session, auth.store.get_user(username).id, DEFAULT_WORKSPACE_NAME
        )
        session.add_all(
            SqlRolePermission(
                role_id=role.id,
                resource_type="registered_model",
                resource_pattern=name,
                permission=MANAGE.name,
            )
            for name in names
        )


def _user() -> str:
    from flask import g

    username: str = g.mlflow_authenticated_user  # absent only where nobody was authenticated
    return username


def _is_admin() -> bool:
    from mlflow.server import auth

    return bool(auth.store.get_user(_user()).is_admin)


def _deny(what: str) -> None:
    from mlflow import MlflowException
    from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

    raise MlflowException(f"you may not change {what}", PERMISSION_DENIED)
