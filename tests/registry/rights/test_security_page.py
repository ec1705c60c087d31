"""docs/security.md names a test for each fault, and the test is there."""

import re

from ...conftest import ROOT

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
PAGE = (ROOT / "docs" / "security.md").read_text()


def test_every_fault_has_a_test_that_is_there() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| what it was")]
    assert len(rows) > 30
    for row in rows:
        found = NAMED.findall(row)
        assert found, f"name the test of: {row}"
        for file, name in found:
            source = (ROOT / file).read_text()
            assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE), f"there is no {file}::{name}"
