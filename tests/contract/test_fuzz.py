"""Schemathesis against a running server and its document: all checks, all phases, two companies."""

import json
import os
import subprocess
import sys
from pathlib import Path

from app.db import Database
from tests.contract.fuzz_hooks import OWN_KEYS
from tests.support import factories
from tests.support.servers import ROOT, Server

EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "50")
CONFIGURATION = """
workers = 1
request-timeout = 20.0

[auth.wfc]
path = "{users}"
peers = ["first", "second"]

# A business rule may refuse a well-formed request; a 400 for one is a failure.
[checks]
enabled = true
positive_data_acceptance.expected-statuses = ["2xx", "304", "401", "403", "404", "409", "412", "422", "429", "5xx"]

# JSON Schema cannot exclude NUL from all strings at once; tests/http/test_edge.py sends it everywhere.
[generation]
allow-x00 = false

[phases.stateful]
max-steps = 8

# A revoked key can still be read (contract, section 9.6).
[[operations]]
include-path = "/api-keys/{{keyId}}"
checks.use_after_free.enabled = false
"""


def test_the_server_and_the_document_agree(server: Server, database: Database, tmp_path: Path) -> None:
    users, key_ids = [], []
    for name in ("first", "second"):
        tenant = factories.tenant(database)
        factories.products(database, tenant.company_id, 30)
        header = {"name": "Authorization", "value": f"Bearer {tenant.key}"}
        users.append({"name": name, "fixedHeaders": [header]})
        key_ids.append(tenant.key_id)
    users_file, configuration = tmp_path / "users.json", tmp_path / "schemathesis.toml"
    users_file.write_text(json.dumps({"auth": users}))
    configuration.write_text(CONFIGURATION.format(users=users_file))

    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration), "run"]
    options = ["--mode", "all", "--phases", "examples,coverage,fuzzing,stateful", "--no-color"]
    environment = {"SCHEMATHESIS_HOOKS": "tests.contract.fuzz_hooks", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [*command, server.url + "/api/v1/openapi.json", *options, "--max-examples", EXAMPLES, "--seed", "20261123"],
        cwd=tmp_path,
        env=os.environ | environment | {OWN_KEYS: ",".join(key_ids)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout[-15_000:] + run.stderr[-3_000:]
    assert "object_level_authorization` will not run" not in run.stdout
