"""What the path of an operation names: a repository of the project, an artifact in it."""

from typing import Any
from urllib.parse import quote

from ...core.oci.errors import MethodNotAllowed
from ...core.records import holdings, inventory
from ...core.records.database import Connection
from ...core.records.holdings import Place
from ...core.records.inventory import Found
from .operation import Call

REPOSITORY = "/projects/{project_name}/repositories/{repository_name}"
ARTIFACTS = REPOSITORY + "/artifacts"
ARTIFACT = ARTIFACTS + "/{reference}"


async def repository(conn: Connection, call: Call[Any]) -> Place:
    """The repository that the path names; NotFound."""
    return await holdings.find(conn, call.project_id, call.project, call.path["repository_name"])


async def artifact(conn: Connection, call: Call[Any]) -> tuple[Place, Found]:
    """The artifact that the path names by tag or digest, and its repository; NotFound."""
    place = await repository(conn, call)
    return place, await inventory.find(conn, place.id, call.path["reference"])


def address(repository_name: str, digest: str) -> str:
    """The path of an artifact below the prefix: a repository's name is encoded there once, and once more in a URL."""
    project, _, name = repository_name.partition("/")
    return f"/projects/{project}/repositories/{quote(name or project, safe='')}/artifacts/{digest}"


def require_deletes(call: Call[Any]) -> None:
    """MethodNotAllowed where the configuration lets nothing be deleted, by whatever way."""
    if not call.services.config.storage.delete.enabled:
        raise MethodNotAllowed("deletes are off (storage.delete.enabled)", headers={"allow": "GET, HEAD, POST, PUT"})
