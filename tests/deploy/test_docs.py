"""The AWS commands in docs/deploy.md and docs/batch.md match AWS's own service descriptions."""

import re
import shlex
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

DOCS = Path(__file__).parents[2] / "docs"
PAGE = "".join((DOCS / name).read_text(encoding="utf-8") for name in ("deploy.md", "batch.md"))
COMMANDS = sorted(set(re.findall(r"^ *(aws [^\n`]+)$|`(aws [a-z0-9]+ [a-z-]+ --[^`]+)`", PAGE, re.MULTILINE)))
SERVICES = {"deploy": "codedeploy"}
GLOBAL = {"region", "query"}
ARGUMENTS = {"cloudformation deploy": {"template-file", "stack-name", "parameter-overrides", "capabilities"}}
"""Of commands that are the command line's own, and no operation of AWS's."""


def known_arguments(service: str, operation: str) -> set[str]:
    """Return the arguments of an operation in the spelling of the AWS CLI."""
    if f"{service} {operation}" in ARGUMENTS:
        return ARGUMENTS[f"{service} {operation}"]
    model = botocore.session.get_session().get_service_model(SERVICES.get(service, service))
    (name,) = (name for name in model.operation_names if xform_name(name, "-") == operation)
    return {xform_name(member, "-") for member in model.operation_model(name).input_shape.members}


def test_the_page_has_commands() -> None:
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize("command", [line or inline for line, inline in COMMANDS])
def test_every_command_has_arguments_that_aws_knows(command: str) -> None:
    _, service, operation, *words = shlex.split(command)
    given = {word.removeprefix("--") for word in words if word.startswith("--")}
    assert given <= known_arguments(service, operation) | GLOBAL


def test_a_rollback_removes_the_weights() -> None:
    updates = [line or inline for line, inline in COMMANDS if "update-alias" in (line or inline)]
    assert updates
    assert all("--routing-config AdditionalVersionWeights={}" in command for command in updates)
