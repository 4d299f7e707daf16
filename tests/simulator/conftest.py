from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from bulk_esm.simulator import Simulator

ClientContext = AbstractAsyncContextManager[Any]


class ManualClock:
    """Virtual time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def connect() -> Callable[..., ClientContext]:
    """Make a real client, with the SDK's own retries off."""

    def make(
        simulator: Simulator, service: str = "lambda", *, account: str = "123456789012", region: str = "us-east-1"
    ) -> ClientContext:
        client: ClientContext = get_session().create_client(
            service,
            endpoint_url=simulator.endpoint_url,
            region_name=region,
            aws_access_key_id=account,
            aws_secret_access_key="simulated",
            config=AioConfig(retries={"total_max_attempts": 1}),
        )
        return client

    return make
