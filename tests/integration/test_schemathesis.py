"""Requests that schemathesis makes from the API's description, to the real service with the shipped bundles.

It sends valid and invalid data, and checks that the service never fails, that each response has a described status,
type, headers and body, that invalid data is refused, and that no request without a token is answered.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from handler.auth import digest
from handler.operations import OPERATIONS
from tests.handler.deployment import served

BUNDLES = Path(__file__).parents[2] / "examples" / "bundles"
TOKEN = "a-token"
LIMIT_SECONDS = 600
"""How long schemathesis may hang before the test gives up; no test measures it."""
CONFIG = f"""
seed = 1
continue-on-failure = true

[generation]
deterministic = true
database = "none"
max-examples = 25

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 405, 413, 415]

[auth.openapi.apiKey]
api_key = "{TOKEN}"

[auth.openapi.token]
api_key = "{TOKEN}"

[auth.openapi.bearer]
bearer = "{TOKEN}"

# They always refuse.
[[operations]]
include-name = ["POST /train", "GET /mcp"]
checks.positive_data_acceptance.enabled = false

# JSON Schema cannot say that each row has a value for each column, and that the models read these columns.
[[operations]]
include-name = "POST /batch_predict"
checks.positive_data_acceptance.enabled = false

# JSON-RPC answers an invalid message with an error in a response with status 200.
[[operations]]
include-name = "POST /mcp"
checks.negative_data_rejection.enabled = false
"""

pytestmark = pytest.mark.integration


def test_the_service_does_what_its_description_says(tmp_path: Path) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    program = Path(sys.executable).with_name("schemathesis")
    with served([BUNDLES], NLU_TOKEN_DIGESTS=digest(TOKEN)) as port:
        ran = subprocess.run(
            [program, "--config-file", config, "run", "--no-color", f"http://127.0.0.1:{port}/openapi.json"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    tested = len(OPERATIONS) - 1  # not GET /openapi.json, which it reads
    assert f"Tested: {tested}\n" in ran.stdout
    (generated,) = re.findall(r"(\d+) generated, \1 passed", ran.stdout)
    assert int(generated) > 500
