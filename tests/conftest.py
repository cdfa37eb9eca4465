from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from runtime.backends.tensorrt import cuda
from runtime.errors import BackendUnavailable


@pytest.fixture(autouse=True, scope="session")
def _own_user_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Neither read nor write the cache folder of the user who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("user_cache")))
        yield


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests marked `gpu` or `browser` where there is none; `.ci/run` installs a browser."""
    if item.get_closest_marker("browser") and shutil.which("chromium") is None:
        pytest.skip("no chromium: apt-get install chromium")
    if item.get_closest_marker("gpu"):
        try:
            cuda.gpus()
        except BackendUnavailable as error:
            pytest.skip(str(error))
