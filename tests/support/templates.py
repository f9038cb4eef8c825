"""Evaluate CloudFormation templates without deploying them: rules, conditions and resources."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cfnlint.decode import cfn_yaml
from support.job import ROOT

Json = Any  # a value of a template
REMOVED = object()  # stands for AWS::NoValue


def load(name: str) -> dict[str, Any]:
    """Return a template of infra/, with its intrinsic functions in their long form."""
    loaded: dict[str, Any] = cfn_yaml.load(str(ROOT / "infra" / name))
    return loaded


@dataclass(frozen=True)
class Deployment:
    """A template with values for its parameters."""

    template: Mapping[str, Any]
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, str]:
        defaults = {
            name: str(spec["Default"]) for name, spec in self.template["Parameters"].items() if "Default" in spec
        }
        return defaults | dict(self.given)

    @property
    def refused(self) -> list[str]:
        """The messages of the rules that the parameters violate."""
        return [
            assertion["AssertDescription"]
            for rule in self.template.get("Rules", {}).values()
            if self.holds(rule["RuleCondition"])
            for assertion in rule["Assertions"]
            if not self.holds(assertion["Assert"])
        ]

    def holds(self, condition: Json) -> bool:
        """Evaluate a condition of a rule or of the section Conditions."""
        ((function, operands),) = condition.items()
        match function:
            case "Condition":
                return self.holds(self.template["Conditions"][operands])
            case "Fn::Equals":
                left, right = (self.value(operand) for operand in operands)
                return bool(left == right)
            case "Fn::Contains":
                members, member = (self.value(operand) for operand in operands)
                return member in members
            case "Fn::Not":
                return not self.holds(operands[0])
            case "Fn::And":
                return all(self.holds(operand) for operand in operands)
            case "Fn::Or":
                return any(self.holds(operand) for operand in operands)
        raise NotImplementedError(function)

    def value(self, operand: Json) -> Json:
        """Return the value of a literal or of a parameter."""
        if not isinstance(operand, dict):
            return str(operand)
        value = self.parameters[operand["Ref"]]
        is_list = self.template["Parameters"][operand["Ref"]]["Type"] == "CommaDelimitedList"
        return value.split(",") if is_list else value

    @cached_property
    def resources(self) -> dict[str, Any]:
        """The resources with true conditions, with every Fn::If evaluated."""
        return {
            name: self.decided(resource)
            for name, resource in self.template["Resources"].items()
            if "Condition" not in resource or self.holds({"Condition": resource["Condition"]})
        }

    def decided(self, value: Json) -> Json:
        """Return the value with Fn::If evaluated and AWS::NoValue removed."""
        if isinstance(value, dict):
            if value.keys() == {"Fn::If"}:
                condition, then, otherwise = value["Fn::If"]
                return self.decided(then if self.holds({"Condition": condition}) else otherwise)
            if value == {"Ref": "AWS::NoValue"}:
                return REMOVED
            items = {name: self.decided(inner) for name, inner in value.items()}
            return {name: inner for name, inner in items.items() if inner is not REMOVED}
        if isinstance(value, list):
            return [inner for inner in map(self.decided, value) if inner is not REMOVED]
        return value

    def concrete(self, value: Json) -> Json:
        """Return the value with parameters replaced, and a fixed text for values that only a deployment knows."""
        if isinstance(value, list):
            return [self.concrete(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        if value.keys() == {"Ref"} and value["Ref"] in self.parameters:
            is_number = self.template["Parameters"][value["Ref"]]["Type"] == "Number"
            return int(self.value(value)) if is_number else self.value(value)
        if len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::")):
            return "arn:aws:of:what:is:made:later"
        return {name: self.concrete(inner) for name, inner in value.items()}


def references(value: Json) -> Iterator[str]:
    """Yield the names in Ref, Fn::GetAtt, Fn::Sub and DependsOn."""
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from REFERENCES.get(name, references)(inner)


def _of_sub(value: Json) -> Iterator[str]:
    text, own = (value, {}) if isinstance(value, str) else value
    names = (part.partition("}")[0] for part in text.split("${")[1:])
    yield from (name.partition(".")[0] for name in names if name not in own)
    yield from references(own)


REFERENCES: dict[str, Callable[[Json], Iterable[str]]] = {
    "Ref": lambda name: [name],
    "Fn::GetAtt": lambda path: [path[0] if isinstance(path, list) else path.partition(".")[0]],
    "Fn::Sub": _of_sub,
    "DependsOn": lambda names: [names] if isinstance(names, str) else names,
}
