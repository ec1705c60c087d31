"""GET /api/v1/openapi.json: the API as a document."""

from typing import Any

from ..endpoint import Endpoint, NoQuery, answer
from ..openapi import document
from ..v2.answer import Answer
from .call import Call


def with_document(*endpoints: Endpoint) -> tuple[Endpoint, ...]:
    """These endpoints and one more, whose document holds them all and itself."""

    async def tell(_: Call[NoQuery]) -> Answer:
        return answer(document(every, "/api/v1", "DataForge Registry: wells and curves"))

    every = (Endpoint("GET", "/openapi.json", "This document", tell, result=dict[str, Any]), *endpoints)
    return every
