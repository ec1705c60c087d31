"""Signatures as cosign and notation store them: attached to what they sign, listed, kept as accessories."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from .layout import MANIFEST, Layout
from .server import Client, Server, sha256

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
NOTATION = "application/vnd.cncf.notary.signature"
EMPTY = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": sha256(b"{}"), "size": 2}


@pytest.fixture
def signed(server: Server, repository: str, layout: Layout) -> str:
    """The digest of an image that is there to be signed."""
    for blob in layout.blobs:
        upload(server, repository, layout.read(blob))
    put_manifest(server, repository, "v1", layout.read(layout.digest))
    return layout.digest


def upload(server: Server, repository: str, data: bytes) -> str:
    """POST, then PUT with the digest (distribution-spec, end-4a and end-6)."""
    begun = server.request("POST", f"/v2/{repository}/blobs/uploads/")
    assert begun.status_code == 202, begun.text
    location = begun.headers["Location"].removeprefix(server.url)
    done = server.request("PUT", location, params={"digest": sha256(data)}, data=data)
    assert done.status_code == 201, done.text
    return sha256(data)


def put_manifest(server: Server, repository: str, reference: str, manifest: bytes) -> dict[str, str]:
    headers = {"Content-Type": json.loads(manifest)["mediaType"]}
    done = server.request("PUT", f"/v2/{repository}/manifests/{reference}", data=manifest, headers=headers)
    assert done.status_code == 201, done.text
    return dict(done.headers)


@pytest.fixture
def key(client: Client) -> Path:
    client.run("cosign", "generate-key-pair", COSIGN_PASSWORD="")
    return client.home / "cosign.key"


# Offline: no transparency log, no signing configuration to fetch.
SIGN = ("cosign", "sign", "--yes", "--key", "cosign.key", "--use-signing-config=false", "--tlog-upload=false")
VERIFY = ("cosign", "verify", "--key", "cosign.pub", "--insecure-ignore-tlog=true", "--allow-http-registry")


@pytest.mark.tool("cosign")
def test_a_cosign_bundle(client: Client, server: Server, repository: str, signed: str, key: Path) -> None:
    image = f"{server.host}/{repository}@{signed}"
    client.run(*SIGN, "--allow-http-registry", image, COSIGN_PASSWORD="")
    (referrer,) = server.referrers(repository, signed)
    assert referrer["artifactType"] == BUNDLE
    assert server.tags(repository) == ["v1"], "with the referrers API no fall-back tag is written"
    client.run(*VERIFY, image)
    assert server.accessories(repository) == [(signed, referrer["digest"], "signature.cosign")]


@pytest.mark.tool("cosign")
def test_a_cosign_signature_of_the_old_form(
    client: Client, server: Server, repository: str, signed: str, key: Path
) -> None:
    image = f"{server.host}/{repository}@{signed}"
    client.run(*SIGN, "--new-bundle-format=false", "--allow-http-registry", image, COSIGN_PASSWORD="")
    tag = signed.replace(":", "-") + ".sig"
    assert server.tags(repository) == [tag, "v1"]
    client.run(*VERIFY, "--new-bundle-format=false", image)
    assert server.accessories(repository) == [(signed, server.manifest(repository, tag)[0], "signature.cosign")]


def test_a_notation_signature(server: Server, repository: str, signed: str, layout: Layout) -> None:
    """The requests and bytes of `notation sign` (its signature specification): the client itself is not installable."""
    subject = {"mediaType": MANIFEST, "digest": signed, "size": len(layout.read(signed))}
    envelope, thumbprint = notation_envelope(subject)
    layer = {
        "mediaType": "application/jose+json",
        "digest": upload(server, repository, envelope),
        "size": len(envelope),
    }
    upload(server, repository, b"{}")
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": NOTATION,
        "config": EMPTY,
        "layers": [layer],
        "subject": subject,
        "annotations": {"io.cncf.notary.x509chain.thumbprint#S256": json.dumps([thumbprint])},
    }
    signature = json.dumps(manifest).encode()
    answered = put_manifest(server, repository, sha256(signature), signature)
    assert {k.lower(): v for k, v in answered.items()}["oci-subject"] == signed

    listed = server.request("GET", f"/v2/{repository}/referrers/{signed}", params={"artifactType": NOTATION})
    (referrer,) = listed.json()["manifests"]
    assert (referrer["digest"], referrer["artifactType"]) == (sha256(signature), NOTATION)
    assert referrer["annotations"] == manifest["annotations"]
    assert server.blob(repository, layer["digest"]) == envelope
    assert server.accessories(repository) == [(signed, sha256(signature), "signature.notation")]


def notation_envelope(subject: dict[str, object]) -> tuple[bytes, str]:
    """A JWS envelope over the subject, signed by a new self-signed certificate, and the certificate's SHA-256."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, "well logs"), x509.NameAttribute(NameOID.COUNTRY_NAME, "NO")]
    )
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(private, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
    protected = {
        "alg": "ES256",
        "cty": "application/vnd.cncf.notary.payload.v1+json",
        "crit": ["io.cncf.notary.signingScheme"],
        "io.cncf.notary.signingScheme": "notary.x509",
        "io.cncf.notary.signingTime": now.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
    head, payload = (
        base64url(json.dumps(protected).encode()),
        base64url(json.dumps({"targetArtifact": subject}).encode()),
    )
    r, s = utils.decode_dss_signature(private.sign(f"{head}.{payload}".encode(), ec.ECDSA(hashes.SHA256())))
    envelope = {
        "payload": payload,
        "protected": head,
        "header": {"x5c": [base64.b64encode(certificate).decode()], "io.cncf.notary.signingAgent": "test"},
        "signature": base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big")),
    }
    return json.dumps(envelope).encode(), sha256(certificate).removeprefix("sha256:")


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
