"""Whether and what is there: ping and systeminfo."""

import msgspec

from dataforge_registry import __version__

from ...core.records import settings
from ...core.records.settings import Mode
from ..endpoint import NoQuery, answer
from ..identity.settings import effective
from ..origin import public_url
from ..v2.answer import Answer
from .answers import text
from .operation import Anyone, Call, Operation

HARBOR = "v2.14.0"
"""The version of Harbor's API that this one keeps to: clients compare it."""


class SystemInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a client must know before it signs in; the versions only once it has."""

    auth_mode: str
    registry_url: str
    external_url: str
    self_registration: bool
    has_ca_root: bool
    project_creation_restriction: str
    read_only: bool
    notification_enable: bool
    primary_auth_mode: bool
    harbor_version: str | None = None
    registry_storage_provider_name: str | None = None
    oidc_provider_name: str | None = None


async def _ping(call: Call[NoQuery]) -> Answer:
    return text("Pong")


async def _info(call: Call[NoQuery]) -> Answer:
    config = call.services.config
    async with call.database.acquire() as conn:
        mode = await settings.mode(conn)
        people = await effective(conn, config.auth.oidc, None)
    url = public_url(call.request.scope, config.http.external_url)
    signed_in = call.principal.kind != "anonymous"
    return answer(
        SystemInfo(
            auth_mode=people.mode,
            registry_url=url.partition("://")[2],
            external_url=url,
            self_registration=False,
            has_ca_root=False,
            project_creation_restriction=config.projects.creation,
            read_only=mode is Mode.READ_ONLY,
            notification_enable=False,
            primary_auth_mode=False,
            harbor_version=f"{HARBOR}-dataforge-{__version__}" if signed_in else None,
            registry_storage_provider_name=config.storage.driver if signed_in else None,
            oidc_provider_name=people.oidc.name if people.on else None,
        )
    )


OPERATIONS = (
    Operation("GET", "/ping", "Whether the server answers", _ping, produces=("text/plain",), needs=Anyone.ANONYMOUS),
    Operation("GET", "/systeminfo", "What the system is", _info, result=SystemInfo, needs=Anyone.ANONYMOUS),
)
