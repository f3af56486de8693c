"""Schemathesis with the published settings, openapi/schemathesis/: all checks, all phases, two companies."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from app.db import Database
from tests.support import factories
from tests.support.servers import ROOT, Server

EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "50")
PUBLISHED = ROOT / "openapi/schemathesis"
ONE_KEY = """[auth.openapi.bearerAuth]
bearer = "${KEY}"
"""
# The keys of two companies, so that the check `object_level_authorization` runs too.
TWO_KEYS = """[auth.wfc]
path = "users.json"
peers = ["first", "second"]
"""


def test_the_server_and_the_document_agree(server: Server, database: Database, tmp_path: Path) -> None:
    users = []
    for name in ("first", "second"):
        tenant = factories.tenant(database)
        factories.products(database, tenant.company_id, 30)
        header = {"name": "Authorization", "value": f"Bearer {tenant.key}"}
        users.append({"name": name, "fixedHeaders": [header]})
    directory = shutil.copytree(PUBLISHED, tmp_path / "schemathesis")
    (directory / "users.json").write_text(json.dumps({"auth": users}))
    settings = directory / "schemathesis.toml"
    assert ONE_KEY in settings.read_text()
    settings.write_text(settings.read_text().replace(ONE_KEY, TWO_KEYS))

    command = [sys.executable, "-m", "schemathesis.cli", "run", server.url + "/api/v1/openapi.json"]
    options = ["--no-color", "--max-examples", EXAMPLES, "--seed", "20261123"]
    run = subprocess.run([*command, *options], cwd=directory, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout[-15_000:] + run.stderr[-3_000:]
    assert "object_level_authorization` will not run" not in run.stdout
