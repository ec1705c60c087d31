"""GET /api/v2.0/openapi.json: the API as a document."""

from typing import Any

from ..endpoint import NoQuery, answer
from ..openapi import document
from ..v2.answer import Answer
from .answers import PREFIX
from .operation import Anyone, Call, Operation


def with_document(*operations: Operation) -> tuple[Operation, ...]:
    """These operations and one more, whose document holds them all and itself."""

    async def tell(_: Call[NoQuery]) -> Answer:
        return answer(document(every, PREFIX, "DataForge Registry: management, as Harbor's API v2.0", browsers=True))

    itself = Operation("GET", "/openapi.json", "This document", tell, result=dict[str, Any], needs=Anyone.ANONYMOUS)
    every = (itself, *operations)
    return every
