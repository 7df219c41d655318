from pathlib import Path

import pytest

from many_models.core.errors import SourceError
from many_models.demo_day.retailer import Retailer


def test_the_story_is_played_once_in_a_home(tmp_path: Path) -> None:
    retailer = Retailer.founded(tmp_path, stores=2, items=1, history_days=10)
    retailer.load(retailer.stores[:1], retailer.sales.start, retailer.sales.end)
    with pytest.raises(SourceError, match="MANY_MODELS_HOME"):
        Retailer.founded(tmp_path, stores=2, items=1, history_days=10)
