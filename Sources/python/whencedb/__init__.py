"""Whence, a time-travel feature store, from Python.

    import whencedb

    with whencedb.connect("localhost:9462") as client:
        client.write("positions", frame, event_time="at")
        client.get("eta", {"driver": [7, 9]}).to_pandas()
        client.as_of(spine, "eta", event_time="at").to_arrow()

`whencedb.aio.connect` is the same for asyncio.
"""

from .answer import Answer
from .calls import Description
from .client import Client, connect
from .errors import (
    Cancelled,
    ConnectionLost,
    DeadlineExceeded,
    DefinitionError,
    InputError,
    NoColumn,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Overloaded,
    ProtocolError,
    StoreError,
    WhenceError,
)
from .prepared import PreparedRead
from .results import Result
from .settings import Retries
from .version import __version__
from .wire.messages import Committed

__all__ = [
    "Answer",
    "Cancelled",
    "Client",
    "Committed",
    "ConnectionLost",
    "DeadlineExceeded",
    "DefinitionError",
    "Description",
    "InputError",
    "NoColumn",
    "NotAllowed",
    "NotAuthenticated",
    "NotFound",
    "Overloaded",
    "PreparedRead",
    "ProtocolError",
    "Result",
    "Retries",
    "StoreError",
    "WhenceError",
    "__version__",
    "connect",
]
