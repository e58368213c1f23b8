"""The template of batches: the state machine that it defines, and what its role allows."""

import argparse
import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from handler.bulk import AnswerKind
from handler.events import BATCH_VERSION, is_batch
from handler.map_batches import BatchInput
from ludwig_serverless.batch import command
from tests.deploy.template import Evaluator, load, referred, values
from tests.deploy.test_template import run_tool

TEMPLATE: Any = load("examples/aws/batch.yaml")
NAMES = {"FunctionName": "nlu", "InputBucket": "chats", "OutputBucket": "nlu-answers"}


def evaluator(**parameters: str) -> Evaluator:
    return Evaluator(TEMPLATE, **NAMES, **parameters)


def definition(**parameters: str) -> Any:
    """Return the state machine that CloudFormation creates."""
    return json.loads(evaluator(**parameters).value(TEMPLATE["Resources"]["Batches"]["Properties"]["DefinitionString"]))


def map_state(**parameters: str) -> Any:
    return definition(**parameters)["States"]["Answer rows"]


@pytest.mark.integration
@pytest.mark.parametrize("reads", ["file", "folder"])
def test_cfn_lint_accepts_the_definition(tmp_path: Path, reads: str) -> None:
    """It does not look into the text of a definition, so it gets the same one as an object."""
    state_machine = {"RoleArn": "arn:aws:iam::123456789012:role/x", "Definition": definition(Reads=reads)}
    resource = {"Type": "AWS::StepFunctions::StateMachine", "Properties": state_machine}
    path = tmp_path / "template.yaml"
    path.write_text(yaml.safe_dump({"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Batches": resource}}))
    done = run_tool("cloud", "cfn-lint", str(path))
    assert done.returncode == 0, done.stdout


def test_every_parameter_is_described_grouped_and_used() -> None:
    interface = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(TEMPLATE["Parameters"])
    assert all(parameter["Description"].strip() for parameter in TEMPLATE["Parameters"].values())
    used = referred({part: TEMPLATE[part] for part in ("Conditions", "Resources", "Outputs")})
    assert set(TEMPLATE["Parameters"]) <= used


@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        ("FunctionName", ["ludwig-nlu-Function-1A"], ["arn:aws:lambda:x", "nlu:live", ""]),
        ("Version", ["live", "17"], ["", "a:b"]),
        ("InputBucket", ["chats"], ["", "s3://chats", "chats/2026"]),
        ("InputPrefix", ["", "chats/", "chats/2026/"], ["chats", "/", "*/", 'a"/']),
        ("OutputBucket", ["chats"], ["", "s3://chats", "chats/2026"]),
        ("OutputPrefix", ["answers", "nlu/answers"], ["", "answers/", "/answers", "*"]),
        ("TextColumn", ["text", "user message"], ["", 'a"', "a\\", "a\nb"]),
        ("Keep", ["", "*", "id,user"], ['a"', "a\\"]),
        ("Columns", ["", "predicted_intent"], ['a"', "a\\"]),
    ],
)
def test_invalid_values_are_rejected_before_anything_is_created(
    name: str, accepted: list[str], refused: list[str]
) -> None:
    pattern = re.compile(TEMPLATE["Parameters"][name]["AllowedPattern"])
    assert all(pattern.fullmatch(value) for value in accepted)
    assert not any(pattern.fullmatch(value) for value in refused)
    assert TEMPLATE["Parameters"][name]["ConstraintDescription"]


def test_the_parameters_mean_what_the_options_of_batch_mean() -> None:
    parser = argparse.ArgumentParser()
    command.add(parser)
    options = {action.dest: action for action in parser._actions}
    parameters = TEMPLATE["Parameters"]
    assert parameters["Answer"]["AllowedValues"] == options["answer"].choices == list(AnswerKind.__args__)
    assert parameters["Answer"]["Default"] == options["answer"].default
    assert parameters["TextColumn"]["Default"] == options["text_column"].default


def test_a_batch_has_the_fields_that_the_function_reads() -> None:
    sent = map_state(Keep="id,user", Columns="predicted_intent", Format="JSONL")["ItemBatcher"]["BatchInput"]
    assert is_batch({"BatchInput": sent, "Items": []})
    assert msgspec.convert(sent, BatchInput) == BatchInput(
        ludwig_serverless_batch=BATCH_VERSION,
        answer="compact",
        text_column="text",
        keep="id,user",
        columns="predicted_intent",
        format="JSONL",
    )


@pytest.mark.parametrize(
    ("reads", "format_", "resource", "config", "files"),
    [
        ("file", "CSV", "getObject", {"CSVHeaderLocation": "FIRST_ROW"}, {"Key.$": "$.key"}),
        ("file", "PARQUET", "getObject", {}, {"Key.$": "$.key"}),
        ("folder", "JSONL", "listObjectsV2", {"Transformation": "LOAD_AND_FLATTEN"}, {"Prefix.$": "$.prefix"}),
        (
            *("folder", "CSV", "listObjectsV2"),
            {"CSVHeaderLocation": "FIRST_ROW", "Transformation": "LOAD_AND_FLATTEN"},
            {"Prefix.$": "$.prefix"},
        ),
    ],
)
def test_files_and_folders_of_all_formats_are_read(
    reads: str, format_: str, resource: str, config: dict[str, str], files: dict[str, str]
) -> None:
    assert map_state(Reads=reads, Format=format_)["ItemReader"] == {
        "Resource": f"arn:aws:states:::s3:{resource}",
        "ReaderConfig": {"InputType": format_, **config},
        "Parameters": {"Bucket": "chats", **files},
    }


def test_numbers_are_numbers_and_batches_fit_into_step_functions() -> None:
    state = map_state(MaxConcurrency="40", RowsPerBatch="9", BytesPerBatch="4096", ToleratedFailurePercentage="5")
    assert (state["MaxConcurrency"], state["ToleratedFailurePercentage"]) == (40, 5)
    assert state["ItemBatcher"]["MaxItemsPerBatch"] == 9
    assert state["ItemBatcher"]["MaxInputBytesPerBatch"] == 4096
    assert TEMPLATE["Parameters"]["BytesPerBatch"]["MaxValue"] == 256 * 1024


def test_waits_between_retries_fit_into_the_five_minutes_of_an_express_workflow() -> None:
    processor = map_state()["ItemProcessor"]
    assert processor["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}
    retry = processor["States"]["Invoke"]["Retry"][0]
    assert "Lambda.TooManyRequestsException" in retry["ErrorEquals"]
    waits = [
        min(retry["IntervalSeconds"] * retry["BackoffRate"] ** number, retry["MaxDelaySeconds"])
        for number in range(retry["MaxAttempts"])
    ]
    assert 60 < sum(waits) < 180


def allowed(**parameters: str) -> list[tuple[str, str]]:
    """Return each action that the role allows, with its resource."""
    (policy,) = evaluator(**parameters).value(TEMPLATE["Resources"]["Role"]["Properties"]["Policies"])
    found = []
    for statement in policy["PolicyDocument"]["Statement"]:
        actions, resources = (
            [part] if isinstance(part, str) else part for part in (statement["Action"], statement["Resource"])
        )
        found += [(action, resource) for action in actions for resource in resources]
    return found


def may(action: str, resource: str, **parameters: str) -> bool:
    return any(each == action and fnmatchcase(resource, pattern) for each, pattern in allowed(**parameters))


def test_the_role_reads_the_input_writes_the_output_and_invokes_one_version() -> None:
    assert not [action for action, _ in allowed() if "*" in action]
    assert may("s3:GetObject", "arn:aws:s3:::chats/any.csv")
    narrow = {"InputPrefix": "2026/", "OutputPrefix": "nlu"}
    assert may("s3:GetObject", "arn:aws:s3:::chats/2026/a.csv", **narrow)
    assert not may("s3:GetObject", "arn:aws:s3:::chats/2025/a.csv", **narrow)
    assert not may("s3:PutObject", "arn:aws:s3:::chats/2026/a.csv", **narrow)
    assert may("s3:PutObject", "arn:aws:s3:::nlu-answers/nlu/run/SUCCEEDED_0.jsonl", **narrow)
    assert not may("s3:PutObject", "arn:aws:s3:::nlu-answers/nlu2/x", **narrow)
    assert not may("s3:ListBucket", "arn:aws:s3:::chats")
    assert may("s3:ListBucket", "arn:aws:s3:::chats", Reads="folder")
    function = "arn:aws:lambda:eu-west-1:123456789012:function"
    assert [resource for action, resource in allowed() if action.startswith("lambda:")] == [f"{function}:nlu:live"]
    assert map_state()["ItemProcessor"]["States"]["Invoke"]["Parameters"]["FunctionName"] == f"{function}:nlu:live"
    assert may("lambda:InvokeFunction", f"{function}:nlu:17", Version="17")
    assert all(
        "arn:${AWS::Partition}:" in text
        for text in values(TEMPLATE, "Fn::Sub")
        if isinstance(text, str) and "arn:" in text
    )
