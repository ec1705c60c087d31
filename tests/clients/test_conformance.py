"""The official conformance suite of the OCI distribution spec, judged by its counts: it exits 0 with skips."""

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .server import Client, Server

pytestmark = [pytest.mark.tool("conformance"), pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Counts:
    """How the checks of one run ended."""

    passed: int
    failed: int
    skipped: int
    disabled: int


# What the pinned suite (.ci/tools.sh) counts when nothing fails. A smaller number would mean checks that did not run.
DEV = Counts(passed=1032, failed=0, skipped=0, disabled=0)
# Upload cancel, once for each digest algorithm, is not part of the released spec: the suite disables it.
STABLE = Counts(passed=860, failed=0, skipped=0, disabled=2)


def conformance(client: Client, server: Server, results: Path, **settings: str) -> Counts:
    project = server.project("conformance", "--public", "--sparse")
    user, password = server.login or ("", "")
    done = client.attempt(
        "conformance",
        OCI_REGISTRY=server.host,
        OCI_TLS="disabled",
        OCI_REPO1=f"{project}/{results.name}-one",
        OCI_REPO2=f"{project}/{results.name}-two",
        OCI_USERNAME=user,
        OCI_PASSWORD=password,
        OCI_RESULTS_DIR=str(results),
        **settings,
    )
    report = results / "junit.xml"
    assert report.exists(), f"the suite wrote no report: {done.stdout[-4000:]}{done.stderr[-4000:]}"
    totals = ElementTree.parse(report).getroot().attrib
    failed, skipped, disabled = (int(totals.get(name, "0")) for name in ("failures", "skipped", "disabled"))
    counts = Counts(int(totals["tests"]) - failed - skipped - disabled, failed, skipped, disabled)
    print(f"{results.name} {settings} {counts}")
    if failed or skipped:
        print(complaints(report))
    return counts


def complaints(report: Path) -> str:
    """The checks that did not pass, and what the suite said of each."""
    cases = [case for case in ElementTree.parse(report).iter("testcase") if case.get("status") != "passed"]
    return "\n".join(f"{case.get('status')}: {case.get('name')}\n{case.findtext('system-err')}" for case in cases)


def test_every_check_of_the_coming_spec_passes(client: Client, server: Server, tmp_path: Path) -> None:
    assert conformance(client, server, tmp_path / "dev", OCI_VERSION="dev", OCI_DATA_SPARSE="true") == DEV


def test_every_check_of_the_released_spec_passes(client: Client, server: Server, tmp_path: Path) -> None:
    assert conformance(client, server, tmp_path / "stable", OCI_VERSION="stable") == STABLE
