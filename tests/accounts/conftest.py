"""The fixtures of the API's tests."""

from tests.recommender.conftest import api as api
from tests.recommender.conftest import empty_index as empty_index
from tests.recommender.conftest import shop as shop
