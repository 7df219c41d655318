from __future__ import annotations

from many_models.core import errors
from many_models.core.errors import ManyModelsError


def test_everything_a_user_can_mend_is_one_family() -> None:
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    assert len(found) > 5
    assert all(issubclass(error, ManyModelsError) for error in found)
