"""Nodes, workers and PostgreSQL die at any moment: nothing acknowledged is lost, nothing is left over in the bucket."""

import os
from pathlib import Path

import pytest

from ..deploy.proxies import NGINX
from ..drivers.stores import ceph
from .kill_nodes import campaign, cluster

KILLS = int(os.environ.get("FAULTS", "4"))


@pytest.mark.tool("radosgw", NGINX)
@pytest.mark.xdist_group("s3-ceph")
@pytest.mark.timeout(600 + 20 * KILLS)
def test_nodes_that_die_lose_nothing_and_leave_nothing(folder: Path) -> None:
    with cluster(folder, ceph(), workers=1) as running:
        noted = campaign(running, KILLS)
        assert noted.tags
        print(f"{KILLS} kills, {len(noted.contents)} contents and {len(noted.tags)} tags acknowledged")
        assert noted.lost(running) == []
        nodes = {node for node in running.front.nodes("/v2/faults/") if node.isdigit()}
        assert nodes == {str(node.port) for node in running.nodes}
        running.stop()
        assert running.swept() == []
