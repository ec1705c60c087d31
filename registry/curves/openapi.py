"""GET /api/v1/openapi.json: the API as a document."""

from typing import Any

from ..endpoint import Endpoint, NoQuery, answer
from ..openapi import document
from ..v2.answer import Answer
from .call import Call


async def _answer(call: Call[NoQuery]) -> Answer:
    from .application import ENDPOINTS  # the list holds this one too

    return answer(document(ENDPOINTS, "/api/v1", "DataForge Registry: wells and curves"))


ENDPOINT = Endpoint("GET", "/openapi.json", "This document", _answer, result=dict[str, Any])
