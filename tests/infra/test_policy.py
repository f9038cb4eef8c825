"""Rules that the templates follow; for each rule, a change that breaks it and is found."""

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.templates import Deployment, Json, load

TEMPLATES = {name: load(name) for name in ("base.yaml", "service.yaml")}
# Actions without a resource, and the condition that limits them, if there is one.
WITHOUT_RESOURCE = {"ecr:GetAuthorizationToken": None, "cloudwatch:PutMetricData": "cloudwatch:namespace"}
# Services that send the account for which they act.
SERVICES_WITH_SOURCE_ACCOUNT = {"sagemaker.amazonaws.com", "cloudwatch.amazonaws.com", "lambda.amazonaws.com"}
# All resources of a type: `${Bucket.Arn}/*`, `...:alarm:*`, `...:endpoint/*`.
ALL_OF_A_TYPE = re.compile(r"(\}|:[a-z-]+)[:/]\*$")
# Allowed on all alarms: they belong to a later stack, and the stack of the role does not know its name.
ON_ALL_OF_A_TYPE = {"cloudwatch:DescribeAlarms"}


def listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def of_type(template: Json, *kinds: str) -> Iterator[tuple[str, Json]]:
    for name, resource in template["Resources"].items():
        if resource["Type"] in kinds:
            yield name, resource["Properties"]


def statements(template: Json) -> Iterator[tuple[str, Json]]:
    """Yield the statements of all policies as `(resource type, statement)`."""
    for resource in template["Resources"].values():
        for statement in statements_below(resource["Properties"]):
            yield resource["Type"], statement


def statements_below(value: Json) -> Iterator[Json]:
    if isinstance(value, list):
        for inner in value:
            yield from statements_below(inner)
    elif isinstance(value, dict):
        if "Effect" in value:
            yield value
        for inner in value.values():
            yield from statements_below(inner)


def allowing(template: Json) -> Iterator[tuple[str, Json]]:
    return ((kind, statement) for kind, statement in statements(template) if statement["Effect"] == "Allow")


def actions_are_named(template: Json) -> Iterator[object]:
    for _, statement in allowing(template):
        yield from (action for action in listed(statement["Action"]) if "*" in action)
        yield from ("NotAction" for _ in [0] if "NotAction" in statement)


def resources_are_named(template: Json) -> Iterator[object]:
    for kind, statement in allowing(template):
        if kind == "AWS::KMS::Key" or ("Principal" in statement and "Resource" not in statement):
            continue  # the policy of a key is for that key, a trust policy for that role
        if "*" in listed(statement["Resource"]):
            for action in listed(statement["Action"]):
                condition = WITHOUT_RESOURCE.get(action, "nothing")
                if condition is not None and condition not in str(statement.get("Condition")):
                    yield action


def resources_are_limited_by_name(template: Json) -> Iterator[object]:
    for _, statement in allowing(template):
        if any(ALL_OF_A_TYPE.search(str(text)) for text in map(arn, listed(statement.get("Resource", [])))):
            yield from set(listed(statement["Action"])) - ON_ALL_OF_A_TYPE


def arn(resource: Json) -> Json:
    """Return the text of a Fn::Sub; anything else unchanged."""
    return resource.get("Fn::Sub", resource) if isinstance(resource, dict) else resource


def no_principal_is_everybody(template: Json) -> Iterator[object]:
    for _, statement in allowing(template):
        principal = statement.get("Principal", {})
        values = (
            [principal] if isinstance(principal, str) else [v for value in principal.values() for v in listed(value)]
        )
        yield from (value for value in values if value == "*")


def services_act_for_this_account(template: Json) -> Iterator[object]:
    for _, statement in allowing(template):
        service = (
            statement.get("Principal", {}).get("Service") if isinstance(statement.get("Principal"), dict) else None
        )
        if service in SERVICES_WITH_SOURCE_ACCOUNT and "aws:SourceAccount" not in str(statement.get("Condition")):
            yield service
    for name, permission in of_type(template, "AWS::Lambda::Permission"):
        if not {"SourceArn", "SourceAccount"} <= permission.keys():
            yield name


def a_role_is_for_one_service(template: Json) -> Iterator[object]:
    for name, role in of_type(template, "AWS::IAM::Role"):
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        if trust["Principal"].keys() != {"Service"} or not isinstance(trust["Principal"]["Service"], str):
            yield name


def buckets_are_private_encrypted_and_versioned(template: Json) -> Iterator[object]:
    for name, bucket in of_type(template, "AWS::S3::Bucket"):
        block = bucket.get("PublicAccessBlockConfiguration", {})
        if [block.get(key) for key in PUBLIC] != [True] * 4:
            yield name, "public"
        if not bucket.get("BucketEncryption"):
            yield name, "encryption"
        if bucket.get("VersioningConfiguration") != {"Status": "Enabled"}:
            yield name, "versions"
        if not any(
            statement["Effect"] == "Deny"
            and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            and policy["Bucket"] == {"Ref": name}
            and len(statement["Resource"]) == 2
            for _, policy in of_type(template, "AWS::S3::BucketPolicy")
            for statement in policy["PolicyDocument"]["Statement"]
        ):
            yield name, "TLS"


PUBLIC = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


def repositories_are_scanned_encrypted_and_limited(template: Json) -> Iterator[object]:
    for name, repository in of_type(template, "AWS::ECR::Repository"):
        if repository.get("ImageScanningConfiguration") != {"ScanOnPush": True}:
            yield name, "scan"
        if repository.get("ImageTagMutability") != "IMMUTABLE":
            yield name, "tags"
        yield from ((name, key) for key in ("EncryptionConfiguration", "LifecyclePolicy") if key not in repository)


def topics_are_encrypted(template: Json) -> Iterator[object]:
    yield from (name for name, topic in of_type(template, "AWS::SNS::Topic") if "KmsMasterKeyId" not in topic)
    yield from (name for name, key in of_type(template, "AWS::KMS::Key") if key.get("EnableKeyRotation") is not True)


def logs_expire(template: Json) -> Iterator[object]:
    yield from (name for name, log in of_type(template, "AWS::Logs::LogGroup") if "RetentionInDays" not in log)


def functions_have_a_log_and_a_timeout(template: Json) -> Iterator[object]:
    for name, function in of_type(template, "AWS::Lambda::Function"):
        if not {"LoggingConfig", "Timeout", "ReservedConcurrentExecutions"} <= function.keys():
            yield name


def requests_need_authorization(template: Json) -> Iterator[object]:
    for authorization in template["Parameters"].get("AuthorizationType", {}).get("AllowedValues", []):
        if authorization == "NONE":
            yield authorization
    for name, route in of_type(template, "AWS::ApiGatewayV2::Route"):
        if route.get("AuthorizationType") != {"Ref": "AuthorizationType"} or "AuthorizerId" not in route:
            yield name
    for name, stage in of_type(template, "AWS::ApiGatewayV2::Stage"):
        if not {"ThrottlingRateLimit", "ThrottlingBurstLimit"} <= stage.get("DefaultRouteSettings", {}).keys():
            yield name
        if "AccessLogSettings" not in stage:
            yield name


def no_secrets(template: Json) -> Iterator[object]:
    def texts(value: Json) -> Iterator[str]:
        if isinstance(value, dict):
            for name, inner in value.items():
                yield str(name)
                yield from texts(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from texts(inner)

    words = ("password", "secret", "apikey", "accesskey", "credential")
    yield from (text for text in texts(template) if any(word in text.lower() for word in words))


Rule = Callable[[Json], Iterator[object]]
Change = Callable[[Json], None]


def statement_in(template: Json, name: str, number: int = 0) -> Json:
    return template["Resources"][name]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][number]


def properties(name: str) -> Callable[[Json], Json]:
    return lambda template: template["Resources"][name]["Properties"]


# A rule, a template, and a change that breaks the rule.
RULES: list[tuple[Rule, str, Change]] = [
    (actions_are_named, "base.yaml", lambda t: statement_in(t, "TrainingRole", 1).update(Action="s3:*")),
    (actions_are_named, "service.yaml", lambda t: statement_in(t, "FunctionRole").update(Action=["sagemaker:Invoke*"])),
    (resources_are_named, "base.yaml", lambda t: statement_in(t, "TrainingRole", 1).update(Resource="*")),
    (resources_are_named, "service.yaml", lambda t: statement_in(t, "FunctionRole").update(Resource=["*"])),
    (resources_are_named, "base.yaml", lambda t: statement_in(t, "TrainingRole", 5).pop("Condition")),
    (resources_are_limited_by_name, "base.yaml",
     lambda t: statement_in(t, "TrainingRole", 1).update(Resource={"Fn::Sub": "${Bucket.Arn}/*"})),
    (resources_are_limited_by_name, "base.yaml",
     lambda t: statement_in(t, "EndpointRole", 5).update(Action=["cloudwatch:SetAlarmState"])),
    (resources_are_limited_by_name, "service.yaml",
     lambda t: statement_in(t, "FunctionRole").update(Resource="arn:aws:sagemaker:eu-west-1:123456789012:endpoint/*")),
    (no_principal_is_everybody, "base.yaml",
     lambda t: properties("BucketPolicy")(t)["PolicyDocument"]["Statement"][0].update(Effect="Allow")),
    (no_principal_is_everybody, "service.yaml",
     lambda t: properties("AlarmTopicPolicy")(t)["PolicyDocument"]["Statement"][0].update(Principal={"AWS": ["*"]})),
    (services_act_for_this_account, "base.yaml",
     lambda t: properties("EndpointRole")(t)["AssumeRolePolicyDocument"]["Statement"][0].pop("Condition")),
    (services_act_for_this_account, "service.yaml",
     lambda t: properties("FunctionRole")(t)["AssumeRolePolicyDocument"]["Statement"][0].pop("Condition")),
    (services_act_for_this_account, "service.yaml", lambda t: properties("ApiCallsFunction")(t).pop("SourceArn")),
    (a_role_is_for_one_service, "base.yaml",
     lambda t: properties("TrainingRole")(t)["AssumeRolePolicyDocument"]["Statement"][0].update(
         Principal={"Service": ["sagemaker.amazonaws.com", "ec2.amazonaws.com"]})),
    (buckets_are_private_encrypted_and_versioned, "base.yaml",
     lambda t: properties("Bucket")(t)["PublicAccessBlockConfiguration"].update(BlockPublicAcls=False)),
    (buckets_are_private_encrypted_and_versioned, "base.yaml",
     lambda t: properties("Bucket")(t).pop("BucketEncryption")),
    (buckets_are_private_encrypted_and_versioned, "base.yaml",
     lambda t: properties("Bucket")(t)["VersioningConfiguration"].update(Status="Suspended")),
    (buckets_are_private_encrypted_and_versioned, "base.yaml", lambda t: t["Resources"].pop("BucketPolicy")),
    (repositories_are_scanned_encrypted_and_limited, "base.yaml",
     lambda t: properties("Repository")(t)["ImageScanningConfiguration"].update(ScanOnPush=False)),
    (repositories_are_scanned_encrypted_and_limited, "base.yaml",
     lambda t: properties("Repository")(t).update(ImageTagMutability="MUTABLE")),
    (repositories_are_scanned_encrypted_and_limited, "base.yaml",
     lambda t: properties("Repository")(t).pop("LifecyclePolicy")),
    (topics_are_encrypted, "service.yaml", lambda t: properties("AlarmTopic")(t).pop("KmsMasterKeyId")),
    (logs_expire, "service.yaml", lambda t: properties("FunctionLog")(t).pop("RetentionInDays")),
    (functions_have_a_log_and_a_timeout, "service.yaml", lambda t: properties("Function")(t).pop("Timeout")),
    (requests_need_authorization, "service.yaml", lambda t: properties("Route")(t).update(AuthorizationType="NONE")),
    (requests_need_authorization, "service.yaml",
     lambda t: t["Parameters"]["AuthorizationType"]["AllowedValues"].append("NONE")),
    (requests_need_authorization, "service.yaml", lambda t: properties("Stage")(t).pop("DefaultRouteSettings")),
    (no_secrets, "service.yaml",
     lambda t: properties("Function")(t)["Environment"]["Variables"].update(API_PASSWORD="x")),
]  # fmt: skip
ALL = sorted({rule for rule, _, _ in RULES}, key=lambda rule: rule.__name__)


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.__name__)
def test_templates_follow_the_rule(rule: Rule, name: str) -> None:
    assert list(rule(with_parameters(TEMPLATES[name]))) == []


@pytest.mark.parametrize(("rule", "name", "change"), RULES, ids=lambda value: getattr(value, "__name__", str(value)))
def test_the_rule_finds_a_template_that_breaks_it(rule: Rule, name: str, change: Change) -> None:
    changed = with_parameters(copy.deepcopy(plain(TEMPLATES[name])))
    change(changed)
    assert list(rule(changed)) != []


def with_parameters(template: Json) -> Json:
    return {"Parameters": {}, **template}


def plain(value: Any) -> Json:  # noqa: ANN401 - nodes of the loader to dictionaries and lists
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def test_the_role_of_the_endpoint_can_neither_read_channels_nor_write_models() -> None:
    deployed = Deployment(with_parameters(TEMPLATES["base.yaml"]))
    role = str(deployed.resources["EndpointRole"])
    assert "channels/" not in role
    training = [s for s in role_statements(deployed, "EndpointRole") if "training/*" in str(s["Resource"])]
    assert [listed(statement["Action"]) for statement in training] == [["s3:GetObject"]]


def role_statements(deployed: Deployment, name: str) -> list[Json]:
    (policy,) = deployed.resources[name]["Properties"]["Policies"]
    return list(policy["PolicyDocument"]["Statement"])
