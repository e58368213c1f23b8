"""The template and samconfig.toml: linters, and properties that operators rely on."""

import json
import re
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from handler.emf import ANSWERS, BY_MODEL
from handler.hexabot import load_service
from handler.routes import Routes
from handler.settings import Settings
from scripts.zip_package import OUTPUT, TEMPLATE
from tests.deploy.template import ROOT, Evaluator, load, referred, values
from tests.processes import tool

CONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
del CONFIG["version"]
CREDENTIALS = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
RECIPES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "examples" / "aws").glob("*.yaml"))
NOT_PUBLISHED = {
    *("AlarmEmail", "LogRetentionDays", "LatencyAlarmMilliseconds", "RequestsPerSecond", "RequestBurst"),
    *("DeploymentType", "ProvisionedConcurrency", "ReservedConcurrency", "BundleBucket", "BundlePrefix"),
    *(
        "DriftReference",
        "DriftThreshold",
        "CaptureRetentionDays",
        "BakedBundles",
        "Fetch",
        "ImageTag",
        "BaseImage",
        "ExpectedModels",
        "CorsOrigins",
        "MonthlyBudget",
    ),
}
"""Parameters that a published version does not freeze, or that change its image and so publish one anyway."""


@pytest.fixture(scope="module")
def template() -> Any:
    return load()


@pytest.fixture(scope="module")
def function(template: Any) -> Any:
    return template["Resources"]["Function"]["Properties"]


def run_tool(environment: str, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tool(environment, name), *arguments],
        cwd=ROOT, env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), "SAM_CLI_TELEMETRY": "0", **CREDENTIALS},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize(
    ("environment", "command"),
    [
        ("cloud", ["sam", "validate", "--lint"]),
        ("cloud", ["cfn-lint", "template.yaml", *RECIPES]),
        ("checkov", ["checkov", "--file", "template.yaml", *RECIPES]),
        ("checkov", ["checkov", "--file", "Dockerfile.lambda", "--framework", "dockerfile"]),
        ("checkov", ["checkov", "--file", "training/Dockerfile", "--framework", "dockerfile"]),
    ],
    ids=["sam", "cfn-lint", "checkov templates", "checkov Lambda's image", "checkov training's image"],
)
def test_the_tools_find_nothing(environment: str, command: list[str]) -> None:
    done = run_tool(environment, *command)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_skip_of_checkov_has_a_reason() -> None:
    skips = [line for line in (ROOT / ".checkov.yaml").read_text().splitlines() if line.startswith("  - CKV")]
    assert skips
    assert all("# " in line for line in skips)


def test_every_parameter_is_described_grouped_and_used(template: Any) -> None:
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(template["Parameters"])
    for name, parameter in template["Parameters"].items():
        assert parameter["Description"].strip(), name
    used = referred({part: template[part] for part in ("Conditions", "Resources", "Outputs")})
    assert set(template["Parameters"]) <= used


def test_no_default_includes_the_demos_models(template: Any) -> None:
    assert template["Parameters"]["BakedBundles"]["Default"] == "bundles"
    assert "ARG BUNDLES=bundles\n" in (ROOT / "Dockerfile.lambda").read_text(encoding="utf-8")


def test_only_the_token_digests_are_required(template: Any) -> None:
    assert [name for name, parameter in template["Parameters"].items() if "Default" not in parameter] == [
        "TokenDigests"
    ]
    defaults = {name: parameter.get("Default") for name, parameter in template["Parameters"].items()}
    assert (defaults["MemorySize"], defaults["Timeout"]) == (1769, 29)
    assert (defaults["SnapStart"], defaults["ProvisionedConcurrency"]) == ("None", 0)


@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        ("TokenDigests", ["a" * 64, f"{'a' * 64},{'0' * 64}"], ["", "secret", "A" * 64, "a" * 63, f"{'a' * 64},"]),
        ("CorsOrigins", ["", "*", "https://a.org,http://localhost:3000"], ["a.org", "https://a.org/", "https://a b"]),
        ("BundleBucket", ["", "my-models", "new,old"], ["s3://my-models", "models/nlu", "new,", "a1b,c2d,e3f"]),
        ("BundlePrefix", ["", "nlu", "nlu/v4,nlu/v3"], ["/nlu", "nlu/", "*", "nlu,", "a,b,c"]),
        (
            "ExpectedModels",
            ["", "intent", f"intent@{'a' * 12},slots"],
            ["intent@", "a@b", "a,", "a b", "A@" + "F" * 12],
        ),
        ("BasePath", ["", "/nlu", "/bots/nlu"], ["nlu", "/nlu/", "/", "/a//b", "/a b"]),
        ("BaseImage", ["public.ecr.aws/lambda/python:3.12", f"a/b@sha256:{'0' * 64}"], ["", "a@sha256:0", "A b"]),
        ("ImageTag", ["latest", "prod"], ["", "a:b", "-a"]),
        ("Capture", ["off", "on", "my-bucket", "my.bucket"], ["", "s3://my-bucket", "bucket/prefix", "On", "a"]),
        ("DefaultLanguage", ["en", "pt-BR"], ["", "english language"]),
        ("AlarmEmail", ["", "ops@example.org"], ["ops"]),
    ],
)
def test_invalid_values_are_rejected_before_anything_is_created(
    template: Any, name: str, accepted: list[str], refused: list[str]
) -> None:
    pattern = re.compile(template["Parameters"][name]["AllowedPattern"])
    assert all(pattern.fullmatch(value) for value in accepted)
    assert not any(pattern.fullmatch(value) for value in refused)
    assert template["Parameters"][name]["ConstraintDescription"]


def test_secrets_are_not_echoed(template: Any) -> None:
    hidden = {name for name, parameter in template["Parameters"].items() if parameter.get("NoEcho")}
    assert hidden == {"TokenDigests", "HubToken"}
    assert not hidden & referred(template["Outputs"])
    assert not hidden & referred([*values(template["Resources"], "Metadata"), *values(template, "VersionDescription")])


@pytest.mark.parametrize(
    ("given", "broken"),
    [
        ({}, set()),
        ({"SnapStart": "PublishedVersions"}, set()),
        ({"SnapStart": "PublishedVersions", "ProvisionedConcurrency": "1"}, {"OneKindOfWarmStart"}),
        ({"SnapStart": "PublishedVersions", "EphemeralStorage": "513"}, {"SnapStartKeepsSmallStorage"}),
        ({"EphemeralStorage": "10240", "ProvisionedConcurrency": "1"}, set()),
        ({"MonthlyBudget": "50"}, {"BudgetTellsSomeone"}),
        ({"MonthlyBudget": "50", "AlarmEmail": "ops@example.org"}, set()),
    ],
)
def test_conflicting_values_are_rejected_before_anything_is_created(
    template: Any, given: dict[str, str], broken: set[str]
) -> None:
    evaluate = Evaluator(template, **given)
    found = {
        name
        for name, rule in template["Rules"].items()
        if not all(evaluate.value(assertion["Assert"]) for assertion in rule["Assertions"])
    }
    assert found == broken


def test_a_budget_is_created_only_on_request(template: Any) -> None:
    assert template["Resources"]["Budget"]["Condition"] == "SetsBudget"
    assert not Evaluator(template).condition("SetsBudget")
    budget = Evaluator(template, MonthlyBudget="50", AlarmEmail="ops@example.org")
    assert budget.condition("SetsBudget")
    properties = budget.value(template["Resources"]["Budget"]["Properties"])
    assert properties["Budget"]["BudgetLimit"] == {"Amount": "50", "Unit": "USD"}
    told = list(values(properties["NotificationsWithSubscribers"], "Address"))
    assert told == ["ops@example.org"] * 2


def variables(template: Any, **parameters: str) -> Any:
    """Return the function's environment variables."""
    properties = template["Resources"]["Function"]["Properties"]
    return Evaluator(template, **parameters).value(properties["Environment"]["Variables"])


def test_nothing_is_captured_unless_it_is_asked_for(template: Any) -> None:
    assert variables(template)["NLU_CAPTURE"] == ""
    found = variables(template, Capture="my-bucket", CaptureSample="0.5")
    prefix = "s3://my-bucket/captured/${AWS::StackName}"
    assert (found["NLU_CAPTURE"], found["NLU_CAPTURE_SAMPLE"], found["NLU_CAPTURE_MARGIN"]) == (prefix, "0.5", "0.1")
    assert Settings.from_env({"NLU_BUNDLES": "b", "NLU_OPEN": "1", **variables(template)}).capture == ""


def test_the_stacks_bucket_is_private_encrypted_and_deletes_messages(template: Any) -> None:
    bucket = template["Resources"]["CaptureBucket"]
    assert bucket["Condition"] == template["Resources"]["CaptureBucketPolicy"]["Condition"] == "CreatesCaptureBucket"
    created = [Evaluator(template, Capture=value).condition("CreatesCaptureBucket") for value in ("off", "b-1", "on")]
    assert created == [False, False, True]
    properties = Evaluator(template, Capture="on", CaptureRetentionDays="7").value(bucket["Properties"])
    (rule,) = properties["LifecycleConfiguration"]["Rules"]
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", "7")
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    assert "VersioningConfiguration" not in properties  # a deleted message must not stay as an old version


def routes(template: Any) -> set[tuple[str, str]]:
    """Return the routes that reach the function."""
    events = template["Resources"]["Function"]["Properties"]["Events"].values()
    return {(event["Properties"]["Method"], event["Properties"]["Path"]) for event in events}


def test_api_gateway_answers_preflight_requests(template: Any) -> None:
    assert not [method for method, _ in routes(template) if method in {"OPTIONS", "ANY"}]
    body = template["Resources"]["Api"]["Properties"]["DefinitionBody"]
    assert "x-amazon-apigateway-cors" not in Evaluator(template).value(body)
    origins = "https://a.example,https://b.example"
    cors = Evaluator(template, CorsOrigins=origins).value(body)["x-amazon-apigateway-cors"]
    assert cors["allowOrigins"] == origins.split(",")
    assert cors["allowMethods"] == ["GET", "POST"]
    assert {"authorization", "content-type", "x-no-capture"} <= set(cors["allowHeaders"])


def test_the_routes_are_those_of_the_handler(template: Any, bundles: Path) -> None:
    expected = {("HEAD", "/")}
    settings = Settings(bundles=(str(bundles),), open=True, playground=True, docs=True)
    for path, methods in Routes(load_service(settings), settings).table.items():
        expected |= {(method, path) for method in methods}
        expected |= {(method, f"{path}/{{proxy+}}") for method in methods if path != "/"}
    assert routes(template) == expected


def test_the_access_log_does_not_contain_the_query(template: Any) -> None:
    form = template["Resources"]["Api"]["Properties"]["AccessLogSettings"]["Format"]
    variables = set(re.findall(r"\$context\.([\w.]+)", form))
    assert {"routeKey", "status", "requestId", "responseLatency", "integrationErrorMessage"} <= variables
    assert not [name for name in variables if re.search("query|path|url|authorizer|resource", name, re.IGNORECASE)]
    assert "$input" not in form
    assert "\n" not in form.strip()


def test_every_parameter_that_a_version_freezes_publishes_a_new_one(template: Any, function: Any) -> None:
    fingerprint = template["Resources"]["Fingerprint"]["Properties"]
    frozen = {name: value for name, value in fingerprint.items() if not name.startswith("Service")}
    assert frozen == {name: {"Ref": name} for name in frozen}
    assert set(frozen) == set(template["Parameters"]) - NOT_PUBLISHED
    # A digest that changes while the function does not would ask Lambda for a version that it has already.
    assert set(frozen) <= referred(function) | {"HubToken"}
    assert function["VersionDescription"] == {"Fn::Sub": "configuration ${Fingerprint.Digest}"}


@pytest.mark.parametrize("metrics", ["off", "on", "drift"])
def test_the_dashboard_shows_the_metrics_that_exist(template: Any, metrics: str) -> None:
    evaluate = Evaluator(template, Metrics=metrics, DriftThreshold="0.3")
    dashboard = json.loads(evaluate.value(template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]))
    places = [(widget["x"], widget["y"]) for widget in dashboard["widgets"]]
    assert len(set(places)) == len(places)
    shown = set(re.findall(r'MetricName="(\w+)"', json.dumps(dashboard).replace('\\\\\\"', '"').replace('\\"', '"')))
    always, counted = set(BY_MODEL), {ANSWERS, "PSI"}
    assert shown == {"off": set(), "on": always, "drift": always | counted}[metrics]
    assert ('"value": 0.3' in json.dumps(dashboard)) is (metrics == "drift")


@pytest.mark.parametrize(("metrics", "exists"), [("off", False), ("on", False), ("drift", True)])
def test_drift_is_checked_only_on_request(template: Any, metrics: str, exists: bool) -> None:
    made = {name for name, each in template["Resources"].items() if each.get("Condition") == "MeasuresDrift"}
    assert made == {"DriftCheck", "DriftRole", "DriftLog", "Drift"}
    evaluate = Evaluator(template, Metrics=metrics)
    assert evaluate.condition("MeasuresDrift") is exists
    variables = evaluate.value(template["Resources"]["Function"]["Properties"]["Environment"]["Variables"])
    assert variables["NLU_METRICS"] == metrics


def test_the_dockerfile_knows_all_build_arguments(template: Any) -> None:
    given = template["Resources"]["Function"]["Metadata"]["DockerBuildArgs"]
    known = re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile.lambda").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(given) <= set(known)


def test_logs_are_kept_for_the_retention_days(template: Any) -> None:
    kinds = {name: resource["Type"] for name, resource in template["Resources"].items()}
    groups = [
        template["Resources"][name]["Properties"] for name, kind in kinds.items() if kind == "AWS::Logs::LogGroup"
    ]
    assert all(group["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups)
    functions = [name for name, kind in kinds.items() if kind == "AWS::Serverless::Function"]
    assert len(groups) == len(functions) + 1
    assert all("LoggingConfig" in template["Resources"][name]["Properties"] for name in functions)


def test_the_endpoint_ends_without_a_slash(template: Any) -> None:
    assert template["Outputs"]["Endpoint"]["Value"]["Fn::Sub"].endswith("${AWS::URLSuffix}")


def overrides(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the template parameters that a section of samconfig.toml sets."""
    return dict(override.split("=", 1) for override in parameters.get("parameter_overrides", []))


@pytest.mark.parametrize("environment", ["default", "dev", "prod", "demo"])
def test_the_configuration_names_parameters_of_the_template(template: Any, environment: str) -> None:
    config = CONFIG[environment]
    assert config["deploy"]["parameters"]["resolve_image_repos"]
    for command in ("build", "deploy"):
        for name, value in overrides(config[command]["parameters"]).items():
            parameter = template["Parameters"][name]
            assert value in map(str, parameter.get("AllowedValues", [value]))
            assert name != "TokenDigests"


def test_each_environment_builds_what_it_deploys_and_only_the_demo_builds_the_demos_models(template: Any) -> None:
    build_only = set(values(template["Resources"]["Function"]["Metadata"], "Ref"))
    builds, stacks = [], [CONFIG["zip"]["global"]["parameters"]["stack_name"]]
    for environment, config in CONFIG.items():
        build, deploy = config["build"]["parameters"], config["deploy"]["parameters"]
        if environment == "zip":  # has no image
            continue
        given = overrides(build)
        assert given["BakedBundles"] == ("examples/bundles" if environment == "demo" else "bundles")
        assert "Fetch" in given
        assert given.get("Architecture") == overrides(deploy).get("Architecture")
        assert not build_only & set(overrides(deploy))
        folder = build.get("build_dir", ".aws-sam/build")
        assert deploy.get("template_file", ".aws-sam/build/template.yaml") == f"{folder}/template.yaml"
        builds.append((folder, given.get("ImageTag", "latest")))
        stacks.append(config["global"]["parameters"]["stack_name"])
    assert len(set(stacks)) == len(CONFIG)
    for distinct in zip(*builds, strict=True):
        assert len(set(distinct)) == len(builds) == len(CONFIG) - 1


def test_the_zip_packages_environment_deploys_what_make_zip_writes() -> None:
    build, deploy = (CONFIG["zip"][command]["parameters"] for command in ("build", "deploy"))
    assert ROOT / build["template_file"] == OUTPUT / TEMPLATE
    assert deploy["template_file"] == f"{build['build_dir']}/template.yaml"
