"""A driver's error as what a client may know; the log holds the reason."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ..drivers import base
from .oci.errors import Unavailable, UploadUnknown

log = logging.getLogger(__name__)
failures: Counter[str] = Counter()
"""How often the store failed in this process: `lost` the bytes of an upload, was `full`, or `failed` otherwise."""


@contextmanager
def storage_errors() -> Iterator[None]:
    """503, or an upload that is gone; NotFound passes through."""
    try:
        yield
    except base.StagingLost as error:
        failures["lost"] += 1
        log.warning("an upload's bytes are gone: %s", error)
        raise UploadUnknown("the bytes of this upload are gone; start a new one") from error
    except base.NoSpace as error:
        failures["full"] += 1
        log.error("storage is full: %s", error)
        raise Unavailable(
            "the storage is full; ask the operator to make room", headers={"Retry-After": "60"}
        ) from error
    except base.NotFound:
        raise
    except base.DriverError as error:
        failures["failed"] += 1
        log.error("storage failed: %s", error)
        raise Unavailable("the storage cannot be used now; try again", headers={"Retry-After": "5"}) from error
