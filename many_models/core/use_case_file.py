"""Reading a use case file, and saying what is wrong with it in words its author can act on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from many_models.core.errors import UseCaseError
from many_models.core.forecast.use_case import UseCase
from many_models.core.tabular.use_case import TabularUseCase
from many_models.core.use_case import AnyUseCase

SHAPES: dict[str, type[AnyUseCase]] = {
    "forecast": UseCase,
    "regression": TabularUseCase,
    "classification": TabularUseCase,
}


def load_use_case(path: Path) -> AnyUseCase:
    """Use case described by the YAML file at ``path``.

    Raises:
        UseCaseError: names the file, each wrong field's path, its value, and what is allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UseCaseError(f"use case file {str(path)!r} cannot be read: {error}") from error
    return parse_use_case(text, name=str(path))


def parse_use_case(text: str, *, name: str) -> AnyUseCase:
    """Use case in ``text``; ``name`` says in messages where the text comes from."""
    try:
        content = yaml.load(text, _UseCaseLoader)
    except yaml.YAMLError as error:
        raise UseCaseError(f"{name} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise UseCaseError(f"{name} must hold fields such as 'name: ...', not {content!r}")
    problem = content.get("problem", "forecast")
    if not isinstance(problem, str) or problem not in SHAPES:
        raise UseCaseError(
            f"{name} is not a valid use case:\n  problem: must be one of {', '.join(SHAPES)} "
            f"(got {problem!r})"
        )
    if "problem" not in content and "row_id" in content:
        raise UseCaseError(
            f"{name} is not a valid use case:\n  problem: it is missing, and row_id is a field of "
            "regression and classification; say which of them this is"
        )
    try:
        return SHAPES[problem].model_validate(content)
    except ValidationError as error:
        lines = [_explain(detail, problem) for detail in error.errors()]
        raise UseCaseError("\n".join([f"{name} is not a valid use case:", *lines])) from error


class _UseCaseLoader(yaml.SafeLoader):
    """Refuses a field that is given twice, of which YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                problem = f"the field {name!r} is given twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def _explain(detail: Any, problem: str) -> str:
    location = [str(part) for part in detail["loc"]]
    path = ".".join(location)
    if detail["type"] == "extra_forbidden":
        allowed = _fields_at(location[:-1], SHAPES[problem])
        if others := [p for p, m in SHAPES.items() if location[-1] in _fields_at(location[:-1], m)]:
            return (
                f"  {path}: makes no sense in problem {problem!r}, only in {' and '.join(others)}; "
                f"allowed here: {', '.join(allowed)}"
            )
        close = difflib.get_close_matches(location[-1], allowed, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"  {path}: unknown field; {hint}allowed here: {', '.join(allowed)}"
    if detail["type"] == "missing":
        return f"  {path}: this field is required"
    message = detail["msg"].removeprefix("Value error, ")
    if not location:  # a rule about several fields, which its message names
        return f"  {message}"
    value = "" if isinstance(detail["input"], dict) else f" (got {detail['input']!r})"
    return f"  {path}: {message}{value}"


def _fields_at(location: list[str], model: type[BaseModel]) -> list[str]:
    for part in location:
        if part in model.model_fields:
            model = _section_in(model.model_fields[part].annotation) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """The pydantic model inside an annotation such as ``tuple[KnownFeature, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_section_in, get_args(annotation))), None)


def find_use_case_files(paths: Iterable[str]) -> list[Path]:
    """The YAML files among ``paths``: folders are searched, what is missing is passed over."""
    found: list[Path] = []
    for path in map(Path, paths):
        found += sorted(path.glob("*.yaml")) if path.is_dir() else [path] if path.is_file() else []
    return list(dict.fromkeys(found))
