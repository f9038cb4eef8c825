"""The two stacks: AWS's schemas, the rules, the resources for each combination of parameters, a deployment to moto."""

import itertools
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from moto import mock_aws
from support.job import ROOT
from support.templates import Deployment, load, references
from telemetry import DIMENSION, NAMESPACE, UNITS

from recommender.sagemaker.environment import whole_number
from recommender.sagemaker.server_environment import MODEL_SERVER_WORKERS

BASE, SERVICE = load("base.yaml"), load("service.yaml")
TEMPLATES = ROOT / "infra"
REGION = "eu-west-1"
IMAGE = f"123456789012.dkr.ecr.{REGION}.amazonaws.com/recommender@sha256:{'0' * 64}"
GIVEN = {
    "ImageUri": IMAGE,
    "ModelDataUrl": "s3://bucket/training/job/output/model.tar.gz",
    "FunctionKey": f"functions/{'0' * 64}.zip",
}
SECOND_MODEL = "s3://bucket/training/other/output/model.tar.gz"
INSTANCE = {"EndpointType": "instance"}
AB = {**INSTANCE, "SecondVariant": "AB", "SecondModelDataUrl": SECOND_MODEL}
SHADOW = {**AB, "SecondVariant": "Shadow"}
JWT = {"AuthorizationType": "JWT", "JwtIssuer": "https://issuer.example", "JwtAudience": "shop,app"}
EMAIL = {"AlarmEmail": "team@shop.example"}
ALLOWED = {
    "serverless": {},
    "serverless, tokens, e-mail, budget, CORS": {**JWT, **EMAIL, "MonthlyBudgetUSD": "50", "CorsOrigin": "https://a.b"},
    "instance": INSTANCE,
    "instance of another type": {**INSTANCE, "InstanceType": "ml.c5.xlarge"},
    "instance, capture, own concurrency": {**INSTANCE, "DataCapturePercentage": "5", "LambdaConcurrency": "10"},
    "AB": AB,
    "AB of two images, e-mail": {**AB, "SecondImageUri": IMAGE, **EMAIL},
    "shadow": SHADOW,
    "shadow, capture, tokens": {**SHADOW, **JWT, "DataCapturePercentage": "100"},
}


Client = Any  # of boto3; the stubs of most services are not installed


def deployment(given: dict[str, str]) -> Deployment:
    return Deployment(SERVICE, GIVEN | given)


def test_cfn_lint_finds_nothing() -> None:
    command = [Path(sys.executable).with_name("cfn-lint"), TEMPLATES / "base.yaml", TEMPLATES / "service.yaml"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"DataCapturePercentage": "5"}, "DataCapturePercentage: a serverless endpoint captures no data"),
        ({**AB, "EndpointType": "serverless"}, "SecondVariant: a serverless endpoint has one variant"),
        ({**SHADOW, "EndpointType": "serverless"}, "SecondVariant: a serverless endpoint has one variant"),
        ({**AB, "SecondModelDataUrl": ""}, "SecondModelDataUrl: a second variant needs a model"),
        ({**JWT, "JwtIssuer": ""}, "JwtIssuer: AuthorizationType JWT needs"),
        ({**JWT, "JwtAudience": ""}, "JwtAudience: AuthorizationType JWT needs"),
        ({"MonthlyBudgetUSD": "50"}, "AlarmEmail: a budget needs an e-mail address"),
    ],
)
def test_the_rules_refuse_a_combination_that_aws_refuses(given: dict[str, str], message: str) -> None:
    (refused,) = deployment(given).refused
    assert refused.startswith(message)


# Values of the parameters that the rules read, and of other parameters that a condition reads.
JUDGED = {
    "EndpointType": ["serverless", "instance"],
    "DataCapturePercentage": ["0", "5"],
    "SecondVariant": ["None", "AB", "Shadow"],
    "SecondModelDataUrl": ["", SECOND_MODEL],
    "AuthorizationType": ["AWS_IAM", "JWT"],
    "JwtIssuer": ["", "https://issuer.example"],
    "JwtAudience": ["", "shop,app", "shop,"],
    "MonthlyBudgetUSD": ["0", "50"],
    "AlarmEmail": ["", "team@shop.example"],
}
FREE = {"SecondImageUri": ["", IMAGE], "LambdaConcurrency": ["-1", "10"], "CorsOrigin": ["", "https://a.b"]}


def combinations(values: dict[str, list[str]]) -> Iterator[dict[str, str]]:
    return (dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values()))


def wrong(given: dict[str, str]) -> set[str]:
    """Return the parameters that contradict others, according to AWS's documentation and not to the template."""
    serverless, second = given["EndpointType"] == "serverless", given["SecondVariant"] != "None"
    jwt = given["AuthorizationType"] == "JWT"
    found = {
        "DataCapturePercentage": serverless and given["DataCapturePercentage"] != "0",
        "SecondVariant": serverless and second,
        "SecondModelDataUrl": second and not given["SecondModelDataUrl"],
        "JwtIssuer": jwt and not given["JwtIssuer"],
        "JwtAudience": jwt and not all(given["JwtAudience"].split(",")),
        "AlarmEmail": given["MonthlyBudgetUSD"] != "0" and not given["AlarmEmail"],
    }
    return {name for name, is_wrong in found.items() if is_wrong}


def test_the_rules_refuse_exactly_the_combinations_that_aws_refuses() -> None:
    count = 0
    for given in combinations(JUDGED):
        refused = [text.partition(":")[0] for text in deployment(given).refused]
        assert sorted(refused) == sorted(wrong(given)), given
        count += not refused
    assert count == 210


def dangling(deployed: Deployment) -> set[tuple[str, str]]:
    """Return `(resource or output, the missing name to which it refers)`."""
    known = {*deployed.resources, *deployed.template["Parameters"]}
    holders = {**deployed.resources, **deployed.template["Outputs"]}
    named = {(name, reference) for name, holder in holders.items() for reference in references(holder)}
    return {(name, reference) for name, reference in named if not reference.startswith("AWS::")} - {
        (name, reference) for name, reference in named if reference in known
    }


def test_no_allowed_combination_has_a_dangling_reference() -> None:
    seen = set()
    for given in combinations(JUDGED | FREE):
        deployed = deployment(given)
        conditions = tuple(deployed.holds({"Condition": name}) for name in SERVICE["Conditions"])
        if conditions not in seen and not wrong(given):
            seen.add(conditions)
            assert dangling(deployed) == set(), given
    assert len(seen) == 7 * 2 * 3 * 8  # endpoints, authorization, messages, FREE


@pytest.mark.parametrize(
    ("holder", "change", "lost"),
    [
        ("EndpointErrorsAlarm", {"AlarmActions": [{"Ref": "AlarmTopic"}]}, "AlarmTopic"),
        ("Route", {"AuthorizerId": {"Fn::GetAtt": ["Authorizer", "AuthorizerId"]}}, "Authorizer"),
        ("EndpointConfig", {"Tags": [{"Key": "a", "Value": {"Fn::Sub": "${SecondModel.ModelName}"}}]}, "SecondModel"),
    ],
)
def test_a_dangling_reference_is_found(holder: str, change: dict[str, Any], lost: str) -> None:
    resource = SERVICE["Resources"][holder]
    changed = {**resource, "Properties": {**resource["Properties"], **change}}
    template = {**SERVICE, "Resources": {**SERVICE["Resources"], holder: changed}}
    assert dangling(Deployment(template, GIVEN)) == {(holder, lost)}


def test_the_examples_are_allowed() -> None:
    assert [kind for kind, given in ALLOWED.items() if deployment(given).refused] == []


def test_allowed_instance_types_scale_and_run_the_image() -> None:
    pattern = SERVICE["Parameters"]["InstanceType"]["AllowedPattern"]
    kinds = ServiceModel(Loader().load_service_model("sagemaker", "service-2")).shape_for(
        "ProductionVariantInstanceType"
    )
    taken = {kind.split(".")[1] for kind in kinds.metadata["enum"] if re.fullmatch(pattern, kind)}
    assert {"m5", "m5d", "c5", "r5", "m7i", "c6in", "g4dn", "g6e", "p4de"} <= taken
    arm = {"c6g", "c6gn", "c7g", "m6g", "m6gd", "r7gd", "r8g", "p6e-gb200"}
    assert not taken & {"t2", "inf1", "inf2", "trn1", "trn1n", "dl1", *arm}


@pytest.mark.parametrize(
    ("second", "variants", "shadows"),
    [("None", ["Primary"], []), ("AB", ["Primary", "Second"], []), ("Shadow", ["Primary"], ["Shadow"])],
)
def test_the_endpoint_has_the_wanted_variants(second: str, variants: list[str], shadows: list[str]) -> None:
    resources = deployment({**AB, "SecondVariant": second, "SecondVariantPer100": "25"}).resources
    config = resources["EndpointConfig"]["Properties"]
    assert [variant["VariantName"] for variant in config["ProductionVariants"]] == variants
    assert [variant["VariantName"] for variant in config.get("ShadowProductionVariants", [])] == shadows
    scaled = [name for name, resource in resources.items() if resource["Type"].endswith("ScalableTarget")]
    assert len(scaled) == len(variants)


def test_alarms_on_errors_and_latency_roll_back_an_update_of_instances() -> None:
    assert "DeploymentConfig" not in deployment({}).resources["Endpoint"]["Properties"]
    for given in (INSTANCE, AB, SHADOW):
        resources = deployment(given).resources
        alarms = resources["Endpoint"]["Properties"]["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]
        names = [alarm["AlarmName"]["Ref"] for alarm in alarms]
        assert names == ["EndpointErrorsAlarm", "LatencyAlarm"]
        assert {resources[name]["Type"] for name in names} == {"AWS::CloudWatch::Alarm"}


def test_the_alarms_of_an_update_watch_the_endpoint_by_its_name() -> None:
    resources = deployment({}).resources
    (latency,) = [m for m in resources["LatencyAlarm"]["Properties"]["Metrics"] if "MetricStat" in m]
    watched = [
        resources["EndpointErrorsAlarm"]["Properties"]["Dimensions"][0],
        latency["MetricStat"]["Metric"]["Dimensions"][0],
    ]
    assert watched == [{"Name": "EndpointName", "Value": resources["Endpoint"]["Properties"]["EndpointName"]}] * 2


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("EndpointLog", "LogGroupName"),
        ("Endpoint", "EndpointName"),
        ("PrimaryScaling", "ResourceId"),
        ("SecondScaling", "ResourceId"),
        ("FunctionRole", "Path"),
    ],
)
def test_resources_with_the_endpoints_name_are_replaced_with_the_endpoint(name: str, changed: str) -> None:
    resource = SERVICE["Resources"][name]
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource["Type"]).schema
    assert f"/properties/{changed}" in schema["createOnlyProperties"]
    assert changed in resource["Properties"]


def test_a_serverless_endpoint_has_no_settings_of_instances() -> None:
    resources = deployment({}).resources
    assert "EnableNetworkIsolation" not in resources["Model"]["Properties"]
    assert "DataCaptureConfig" not in resources["EndpointConfig"]["Properties"]
    assert not [resource for resource in resources.values() if "AutoScaling" in resource["Type"]]
    variables = resources["Model"]["Properties"]["PrimaryContainer"]["Environment"]
    assert whole_number(variables, MODEL_SERVER_WORKERS, 2, 9) == 1
    assert deployment(INSTANCE).resources["Model"]["Properties"]["EnableNetworkIsolation"] is True


def test_the_dashboard_shows_the_metrics_that_the_function_writes() -> None:
    body, names = SERVICE["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    assert f'["{NAMESPACE}", "Requests", "{DIMENSION}", "${{Name}}"]' in body
    assert all(f'"{name}"' in body for name in UNITS)
    assert names.keys() == {"Name"}


def test_the_deployed_function_has_the_handler_and_runtime_of_the_tests() -> None:
    function = SERVICE["Resources"]["Function"]["Properties"]
    module, name = function["Handler"].split(".")
    assert f"def {name}(" in (ROOT / "lambda" / f"{module}.py").read_text()
    assert function["Runtime"] == "python3.11"
    assert 27 < function["Timeout"] < 29
    assert SERVICE["Resources"]["Integration"]["Properties"]["TimeoutInMillis"] / 1000 > function["Timeout"]


# Resources that moto's CloudFormation does not create: their properties are those of the call that creates them.
SHAPES = {
    "AWS::SageMaker::Model": ("sagemaker", "CreateModel"),
    "AWS::SageMaker::EndpointConfig": ("sagemaker", "CreateEndpointConfig"),
    "AWS::ApiGatewayV2::Api": ("apigatewayv2", "CreateApi"),
    "AWS::ApiGatewayV2::Integration": ("apigatewayv2", "CreateIntegration"),
    "AWS::ApiGatewayV2::Authorizer": ("apigatewayv2", "CreateAuthorizer"),
    "AWS::ApiGatewayV2::Route": ("apigatewayv2", "CreateRoute"),
    "AWS::ApiGatewayV2::Stage": ("apigatewayv2", "CreateStage"),
    "AWS::CloudWatch::Alarm": ("cloudwatch", "PutMetricAlarm"),
}
NAMES = {"PutMetricAlarm": {"AlarmName": "x"}, "CreateModel": {"ModelName": "x"},
         "CreateEndpointConfig": {"EndpointConfigName": "x"}}  # fmt: skip


@pytest.mark.parametrize("given", ALLOWED.values(), ids=ALLOWED)
def test_properties_are_valid_for_the_calls_that_create_the_resources(given: dict[str, str]) -> None:
    deployed = deployment(given)
    checked = 0
    for name, resource in deployed.resources.items():
        if resource["Type"] in SHAPES:
            service, operation = SHAPES[resource["Type"]]
            shape = ServiceModel(Loader().load_service_model(service, "service-2")).operation_model(operation)
            assert shape.input_shape is not None
            values = NAMES.get(operation, {}) | deployed.concrete(resource["Properties"])
            report = ParamValidator().validate(values, shape.input_shape)
            assert not report.has_errors(), (name, report.generate_report())
            checked += 1
    assert checked >= 12


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Client]]:
    for name, value in {"AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        boto: Client = boto3  # its stubs have a type for each service
        yield lambda service: boto.client(service, region_name=REGION)


@pytest.mark.filterwarnings("ignore:Tried to parse AWS.* but it's not supported by moto:UserWarning")
def test_moto_creates_and_deletes_both_stacks(aws: Callable[[str], Client]) -> None:
    cloudformation = aws("cloudformation")
    create(cloudformation, "recommender-base", "base.yaml", {})
    base = outputs(cloudformation, "recommender-base")
    exported = {export["Name"]: export["Value"] for export in cloudformation.list_exports()["Exports"]}
    assert exported == {f"recommender-base-{name}": value for name, value in base.items()}
    bucket = base["BucketName"]
    for number, (kind, given) in enumerate(ALLOWED.items()):
        if "shadow" in kind:
            continue  # moto's EndpointConfig has no shadow variants
        name = f"service-{number}"
        code = {"FunctionKey": f"functions/{number:064}.zip"}
        aws("s3").put_object(Bucket=bucket, Key=code["FunctionKey"], Body=empty_zip())
        create(cloudformation, name, "service.yaml", GIVEN | given | code)
        made = outputs(cloudformation, name)
        assert made["ApiUrl"].endswith(".execute-api.eu-west-1.amazonaws.com/recommendations")
        function = aws("lambda").get_function(FunctionName=made["FunctionName"])["Configuration"]
        assert function["Timeout"] == 28
        assert f":role/{made['EndpointName']}/" in function["Role"]  # another endpoint, another role
        config = aws("sagemaker").describe_endpoint(EndpointName=made["EndpointName"])["EndpointConfigName"]
        variants = aws("sagemaker").describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
        assert ("ServerlessConfig" in variants[0]) == (given.get("EndpointType") is None)
        assert len(variants) == (2 if "AB" in kind else 1)
        assert logged(aws) == f"{name}-{endpoint_of(given)}"
        cloudformation.delete_stack(StackName=name)
        assert aws("sagemaker").list_endpoints()["Endpoints"] == []
    for version in aws("s3").list_object_versions(Bucket=bucket)["Versions"]:
        aws("s3").delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    cloudformation.delete_stack(StackName="recommender-base")
    assert aws("s3").list_buckets()["Buckets"] == []


def endpoint_of(given: dict[str, str]) -> str:
    """Return the end of an endpoint's name: everything that SageMaker can't change in place."""
    if given.get("EndpointType") is None:
        return "serverless"
    size = given.get("InstanceType", "ml.m5.large").replace(".", "-")
    return f"{'ab' if given.get('SecondVariant') == 'AB' else 'single'}-{size}"


def logged(aws: Callable[[str], Client]) -> str:
    """Return the endpoint's name, from its log group: moto's Endpoint ignores the name."""
    (group,) = aws("logs").describe_log_groups(logGroupNamePrefix="/aws/sagemaker/Endpoints/")["logGroups"]
    return str(group["logGroupName"]).removeprefix("/aws/sagemaker/Endpoints/")


def create(cloudformation: Client, name: str, template: str, parameters: dict[str, str]) -> None:
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=(TEMPLATES / template).read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"


def outputs(cloudformation: Client, name: str) -> dict[str, str]:
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def empty_zip() -> bytes:
    return b"PK\x05\x06" + bytes(18)


def test_each_rule_of_the_template_is_tested() -> None:
    """Check that a combination above breaks each assertion."""
    described = [a["AssertDescription"] for rule in SERVICE["Rules"].values() for a in rule["Assertions"]]
    tested = {"DataCapturePercentage", "SecondVariant", "SecondModelDataUrl", "JwtIssuer", "JwtAudience", "AlarmEmail"}
    assert {text.partition(":")[0] for text in described} == tested
    assert len(described) == len(tested)
