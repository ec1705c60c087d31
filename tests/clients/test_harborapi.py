"""harborapi: every method of the client is run by a test, or is listed here with the reason why nothing answers it."""

import contextlib
import inspect
from typing import Any

import pytest
from harborapi import HarborAsyncClient, models
from harborapi.exceptions import StatusError

from . import test_harborapi_content, test_harborapi_people, test_harborapi_projects, test_harborapi_system
from .harborapi_watch import Harbor, on_each_server

MODULES = (test_harborapi_content, test_harborapi_people, test_harborapi_projects, test_harborapi_system)
OWN = {
    *("authenticate", "construct_model", "log_response", "no_retry", "no_validation", "raw_mode"),
    *("get", "get_text", "get_file", "head", "post", "put", "patch", "delete"),
}
"""What the client is made of; no operation of Harbor's."""

ARTIFACT = ("wells", "gr", "v1")
NEVER = models.Schedule(schedule=models.ScheduleObj(type="None"))
NOT_SERVED: dict[str, dict[str, tuple[Any, ...]]] = {
    "nothing is replicated": {
        "create_replication_policy": (models.ReplicationPolicy(name="p"),),
        "get_replication_policies": (),
        "get_replication_policy": (1,),
        "update_replication_policy": (1, models.ReplicationPolicy(name="p")),
        "delete_replication_policy": (1,),
        "start_replication": (1,),
        "stop_replication": (1,),
        "get_replications": (),
        "get_replication": (1,),
        "get_replication_tasks": (1,),
        "get_replication_task_log": (1, 1),
        "create_registry": (models.Registry(name="r"),),
        "get_registries": (),
        "get_registry": (1,),
        "update_registry": (1, models.RegistryUpdate(name="r")),
        "delete_registry": (1,),
        "get_registry_info": (1,),
        "get_registry_adapters": (),
        "get_registry_providers": (),
        "check_registry_status": (models.RegistryPing(id=1),),
    },
    "nothing scans": {
        "scan_artifact": ARTIFACT,
        "stop_artifact_scan": ARTIFACT,
        "get_artifact_scan_report_log": (*ARTIFACT, "1"),
        "get_artifact_vulnerabilities": ARTIFACT,
        "get_artifact_vulnerability_reports": ARTIFACT,
        "get_scan_all_metrics": (),
        "get_scan_all_schedule": (),
        "create_scan_all_schedule": (NEVER,),
        "update_scan_all_schedule": (NEVER,),
        "stop_scan_all_job": (),
        "get_project_scanner": ("wells",),
        "set_project_scanner": ("wells", "1"),
        "get_project_scanner_candidates": ("wells",),
        "create_scanner": (models.ScannerRegistrationReq(name="s", url="http://127.0.0.1"),),
        "get_scanners": (),
        "get_scanner": ("1",),
        "update_scanner": ("1", models.ScannerRegistrationReq(name="s", url="http://127.0.0.1")),
        "delete_scanner": ("1",),
        "set_default_scanner": ("1",),
        "ping_scanner_adapter": (models.ScannerRegistrationSettings(name="s", url="http://127.0.0.1"),),
        "get_scanner_metadata": (1,),
        "export_scan_data": (models.ScanDataExportRequest(),),
        "get_scan_exports": (),
        "get_scan_export": (1,),
        "download_scan_export": (1,),
        "get_cve_allowlist": (),
        "update_cve_allowlist": (models.CVEAllowlist(items=[]),),
    },
    "there are no webhooks": {
        "create_webhook_policy": ("wells", models.WebhookPolicy(name="w")),
        "get_webhook_policies": ("wells",),
        "get_webhook_policy": ("wells", 1),
        "update_webhook_policy": ("wells", 1, models.WebhookPolicy(name="w")),
        "delete_webhook_policy": ("wells", 1),
        "get_webhook_jobs": ("wells", 1),
        "get_webhook_supported_events": ("wells",),
        "get_webhook_policy_last_trigger": ("wells",),
    },
    "nobody signs in by LDAP": {
        "ping_ldap": (),
        "search_ldap_users": ("ann",),
        "search_ldap_groups": ("team",),
        "import_ldap_users": (["ann"],),
    },
    "providers of identity are set in the configuration file": {
        "test_oidc": (models.OIDCTestReq(url="http://127.0.0.1", verify_cert=False),),
    },
    "no artifact has an icon": {"get_icon": ("sha256:" + "0" * 64,)},
    "the layers of an image are not read": {"get_artifact_build_history": ARTIFACT},
    "the certificate is the proxy's before the server": {"get_system_certificate": ()},
    "gone from Harbor too": {
        "get_robots_v1": ("wells",),
        "get_robot_v1": ("wells", 1),
        "create_robot_v1": ("wells", models.RobotCreateV1(name="ci")),
        "update_robot_v1": ("wells", 1, models.Robot(name="ci")),
        "delete_robot_v1": ("wells", 1),
    },
}


def methods_run() -> set[str]:
    """What the other modules run."""
    return {name for module in MODULES for test in vars(module).values() for name in getattr(test, "runs", ())}


def test_every_method_is_run_or_listed() -> None:
    methods = {name for name, _ in inspect.getmembers(HarborAsyncClient, callable) if not name.startswith("_")} - OWN
    refused = {name for those in NOT_SERVED.values() for name in those}
    print(f"harborapi: {len(methods)} methods, {len(methods_run())} run, {len(refused)} not served")
    assert methods_run() | refused == methods
    assert not methods_run() & refused


@pytest.mark.filterwarnings("ignore:Use get_artifact_vulnerability_reports:DeprecationWarning")
@on_each_server
@pytest.mark.parametrize("reason", NOT_SERVED)
async def test_what_is_not_served_says_so(harbor: Harbor, reason: str) -> None:
    harbor.as_described = False
    harbor.server.project("wells")
    for name, arguments in NOT_SERVED[reason].items():
        harbor.answers.clear()
        with contextlib.suppress(StatusError):
            await getattr(harbor, name)(*arguments)
        (answer,) = harbor.answers
        assert answer.status_code in (400, 404), (name, answer.status_code)
        (error,) = answer.json()["errors"]
        assert error["code"] in ("NOT_FOUND", "BAD_REQUEST") and error["message"], name
