"""Artifacts as clients see them: rows of core/records/inventory.py, and what hangs on them, as Harbor's models."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from ...core.records import inventory
from ...core.records.database import Connection
from ..endpoint import described
from .answers import PREFIX
from .label import Label, label_of
from .lists import Listed
from .places import address

ADDITIONS = {"CURVE": ("header", "statistics", "lineage")}
"""What there is to see of an artifact beside its manifest, by its type."""
_MOST_REFERENCES = 1000
"""Children of an index that a list shows; the artifact alone shows all."""


class With(Listed, frozen=True, kw_only=True):
    """What is to be told of an artifact beside itself, and in lists which: `q` knows `tags=*`, `tags=nil` and
    `labels=(1 2)`. What scans and signatures would say is never there."""

    with_tag: bool = True
    with_label: bool = False
    with_accessory: bool = False
    with_immutable_status: bool = False
    with_signature: Annotated[bool, described("Taken, and without effect.")] = False
    with_scan_overview: Annotated[bool, described("Taken, and without effect.")] = False
    with_sbom_overview: Annotated[bool, described("Taken, and without effect.")] = False


class Tag(msgspec.Struct, frozen=True, omit_defaults=True):
    """A name of an artifact. pull_time: absent until it is pulled by this name; immutable: only where that is asked."""

    id: int
    repository_id: int
    artifact_id: int
    name: str
    push_time: datetime
    pull_time: datetime | None = None
    immutable: bool | None = None


class Accessory(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is attached to an artifact, which is its subject."""

    id: int
    artifact_id: int
    digest: str
    subject_artifact_digest: str
    subject_artifact_repo: str
    type: str
    size: int
    creation_time: datetime
    icon: str
    subject_artifact_id: int | None = None


class Reference(msgspec.Struct, frozen=True, omit_defaults=True):
    """A child of an index, with what the index says of it."""

    parent_id: int
    child_digest: str
    child_id: int | None = None
    platform: dict[str, Any] | None = None
    annotations: dict[str, str] | None = None
    urls: list[str] | None = None


class Link(msgspec.Struct, frozen=True):
    """Where something more is to be had."""

    href: str
    absolute: bool


class Artifact(msgspec.Struct, frozen=True, omit_defaults=True):
    """An artifact. extra_attrs of a CURVE: its well, mnemonic, unit, range of the index and so on."""

    id: int
    type: str
    media_type: str
    manifest_media_type: str
    project_id: int
    repository_id: int
    repository_name: str
    digest: str
    size: int
    push_time: datetime
    extra_attrs: dict[str, Any]
    annotations: dict[str, str]
    addition_links: dict[str, Link]
    references: list[Reference]
    artifact_type: str | None = None
    pull_time: datetime | None = None
    tags: list[Tag] | None = None
    labels: list[Label] | None = None
    accessories: list[Accessory] | None = None


_PLAIN = (
    *("id", "type", "media_type", "manifest_media_type", "project_id", "repository_id", "repository_name", "digest"),
    *("size", "push_time", "artifact_type", "pull_time"),
)


async def artifacts_of(conn: Connection, rows: Sequence[Any], asked: With, whole: bool = False) -> list[Artifact]:
    """The artifacts of a page's rows; whole: with all children, however many."""
    ids = [row["id"] for row in rows]
    status = asked.with_immutable_status
    tags = await inventory.hanging(conn, inventory.TAGS, ids, "artifact_id", status) if asked.with_tag else None
    labels = await inventory.hanging(conn, inventory.LABELS, ids, "artifact_id") if asked.with_label else None
    accessories = (
        await inventory.hanging(conn, inventory.ACCESSORIES, ids, "subject_artifact_id")
        if asked.with_accessory
        else None
    )
    children = await inventory.hanging(conn, inventory.REFERENCES, ids, "artifact_id")
    most = inventory.WHOLE if whole else inventory.MOST_PARSED
    indexes = await inventory.manifests(conn, list(children), most)
    return [
        Artifact(
            **{name: row[name] for name in _PLAIN},
            extra_attrs=json.loads(row["extra_attrs"]) | _curve(row),
            annotations=json.loads(row["annotations"]),
            addition_links=_links(row),
            references=_references(
                children.get(row["id"], [])[: None if whole else _MOST_REFERENCES], indexes.get(row["id"])
            ),
            tags=None if tags is None else [tag_of(each) for each in tags.get(row["id"], ())],
            labels=None if labels is None else [label_of(each) for each in labels.get(row["id"], ())],
            accessories=None
            if accessories is None
            else [accessory_of(each) for each in accessories.get(row["id"], ())],
        )
        for row in rows
    ]


def tag_of(row: Any) -> Tag:
    """From a row of `inventory.TAGS`."""
    return Tag(**dict(row))


def accessory_of(row: Any) -> Accessory:
    """From a row of `inventory.ACCESSORIES`."""
    found = {name: row[name] for name in Accessory.__struct_fields__ if name in row.keys()}  # noqa: SIM118  # a Record
    return Accessory(**found, subject_artifact_repo=row["repository_name"], icon="")


def _curve(row: Any) -> dict[str, Any]:
    found = json.loads(row["curve"]) if row["curve"] else {}
    return {name: value for name, value in found.items() if value is not None}


def _links(row: Any) -> dict[str, Link]:
    below = PREFIX + address(row["repository_name"], row["digest"]).replace("%", "%25")
    return {name: Link(f"{below}/additions/{name}", False) for name in ADDITIONS.get(row["type"], ())}


def _references(rows: Sequence[Any], manifest: bytes | None) -> list[Reference]:
    said = {each["digest"]: each for each in json.loads(manifest)["manifests"]} if manifest else {}
    return [
        Reference(
            row["artifact_id"],
            row["child_digest"],
            row["child_id"],
            *(said.get(row["child_digest"], {}).get(name) for name in ("platform", "annotations", "urls")),
        )
        for row in rows
    ]
