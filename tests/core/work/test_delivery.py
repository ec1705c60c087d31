"""The queue's own objects: those of the release that is installed, under names that no environment changes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pgqueuer.domain.settings import DBSettings

from dataforge_registry.core.work.delivery import NAMES

SCHEMA = Path(__file__).parents[3] / "schema.sql"


def test_the_schema_holds_what_pgqueuer_generates() -> None:
    """A release of pgqueuer that wants other objects fails here: generate section 8 again and write a migration."""
    environment = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")}
    program = Path(sys.executable).with_name("pgq")
    answer = subprocess.run([program, "sql", "install"], env=environment, capture_output=True, text=True, check=True)
    generated = answer.stdout
    head, _, objects = generated.partition("\n\n")
    assert head.startswith("-- pgqueuer ")
    assert objects.strip() in SCHEMA.read_text(encoding="utf-8")


def test_names_are_pgqueuers_own_and_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`CHANNEL=x` in somebody's environment must not split the workers."""
    fields = ["prefix", "db_schema", "channel", "function", "trigger", "queue_table", "queue_table_log"]
    fields += ["statistics_table", "schedules_table", "queue_status_type"]
    usual = DBSettings()
    assert [getattr(NAMES, field) for field in fields] == [getattr(usual, field) for field in fields]
    monkeypatch.setenv("CHANNEL", "elsewhere")
    assert DBSettings().channel == "elsewhere"
    assert NAMES.channel == "ch_pgqueuer"
