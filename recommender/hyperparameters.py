"""The hyper-parameters of a training job: the options of the job and of all registered sources and features."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar

from pydantic import Field, ValidationError, create_model, field_validator, model_validator

from recommender.candidates import SOURCES
from recommender.candidates.base import Role, Source
from recommender.common.messages import first_problem
from recommender.components.base import Component
from recommender.components.registry import merged
from recommender.config import Range, joined
from recommender.data.options import EventOptions, SharedOptions
from recommender.ranking.base import Feature, check_shown
from recommender.ranking.blend import check_weights
from recommender.ranking.features import FEATURES

O = TypeVar("O", bound=SharedOptions)  # noqa: E741 - the options of a component

COMPONENTS: dict[str, type[Component]] = merged(SOURCES, FEATURES)
check_shown(FEATURES.values())
check_shown([*SOURCES.values(), *(feature for feature in FEATURES.values() if not feature.only_paper)])


def default_sources(role: Role) -> str:
    """Return the names of the sources with this role by default, separated by commas."""
    return ",".join(name for name, source in SOURCES.items() if role in source.default_roles)


class JobOptions(EventOptions):
    """The options of the job itself. `TrainConfig` also has those of all components."""

    pipeline: Literal["auto", "paper"] = Field(
        "auto",
        description="auto: several sources and a learned ranking, chosen on held-out events; paper: candidates by "
        "predicted rating, reranked by title similarity",
    )
    candidate_sources: str | None = Field(
        None,
        description="sources that propose candidates, separated by commas; by default "
        f"{default_sources(Role.CANDIDATES)} (auto) or {default_sources(Role.PAPER)} (paper)",
    )
    scored_sources: str | None = Field(
        None,
        description="auto: sources that only score the candidates of other sources, separated by commas; this is "
        "faster than proposing candidates",
    )
    fallback_sources: str = Field(
        default_sources(Role.FALLBACK),
        description="sources for users unknown to the candidate sources, separated by commas; uses the first one that "
        "has items",
    )
    parent_attribute: str = Field(
        "",
        max_length=100,
        description="attribute with the ID of an item's parent, such as parent_asin; variants of one parent then count "
        "as one item",
    )
    report: bool = Field(True, description="write report.html, too; the model does not depend on it")

    owners: ClassVar[Mapping[str, tuple[str, str]]] = {}  # hyper-parameter -> component name and option name

    _joined_names = field_validator("candidate_sources", "scored_sources", "fallback_sources", mode="before")(joined)

    @field_validator("candidate_sources", "scored_sources", "fallback_sources")
    @classmethod
    def _are_registered(cls, text: str | None) -> str | None:
        if text is None:
            return None
        names = [name.strip() for name in text.split(",")]
        if unknown := [name for name in names if name not in SOURCES]:
            near = get_close_matches(unknown[0], SOURCES, 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"expected some of {', '.join(SOURCES)}, separated by commas{meant}")
        if len(set(names)) < len(names):
            raise ValueError(f"expected some of {', '.join(SOURCES)}, separated by commas, without repeats")
        return ",".join(names)

    @model_validator(mode="after")
    def _components_accept(self) -> Self:
        try:
            for component in COMPONENTS.values():
                self.of(component.Options)
        except ValidationError as error:
            raise ValueError(first_problem(error, type(self))[1]) from None
        if both := sorted({*self.source_names} & {*self.scored_names}):
            raise ValueError(f"{both[0]} is in candidate_sources and in scored_sources: name it in one of them")
        weights = {of.hyperparameter("weight"): of.weight(self.of(of.Options)) for of in FEATURES.values()}
        check_weights(weights)
        return self

    def of(self, options: type[O]) -> O:
        """Return the options of the component with this options class. Options that are not set have defaults."""
        values = {name: getattr(self, name) for name in SharedOptions.model_fields if name in self.model_fields_set}
        for hyperparameter, (component, option) in self.owners.items():
            if COMPONENTS[component].Options is options and hyperparameter in self.model_fields_set:
                values[option] = getattr(self, hyperparameter)
        return options.model_validate(values)

    @property
    def source_names(self) -> list[str]:
        """Return the candidate sources, in the order of the configuration."""
        if self.candidate_sources is not None:
            return self.candidate_sources.split(",")
        role = Role.PAPER if self.pipeline == "paper" else Role.CANDIDATES
        scored = set(self.scored_names)
        return [name for name in default_sources(role).split(",") if name not in scored]

    @property
    def scored_names(self) -> list[str]:
        """Return the sources that only score candidates."""
        return [] if self.scored_sources is None else self.scored_sources.split(",")

    @property
    def fallback_names(self) -> list[str]:
        """Return the fallback sources, in the order of the configuration."""
        return self.fallback_sources.split(",")

    @property
    def components(self) -> dict[str, type[Component]]:
        """Return the components in use, by name: first the sources, then the features."""
        return {**self.sources, **self.features}

    @property
    def sources(self) -> dict[str, type[Source]]:
        """Return the sources in use, by name."""
        names = dict.fromkeys([*self.source_names, *self.scored_names, *self.fallback_names])
        return {name: SOURCES[name] for name in names}

    @property
    def features(self) -> dict[str, type[Feature]]:
        """Return the features in use, by name."""
        is_paper = self.pipeline == "paper"
        return {name: feature for name, feature in FEATURES.items() if is_paper or not feature.only_paper}

    @property
    def of_model(self) -> dict[str, Any]:
        """Return the hyper-parameters that determine the model, by name."""
        return self.model_dump(exclude={"report"})

    @property
    def unused(self) -> set[str]:
        """Return the hyper-parameters without an effect, because of unused components or of other values."""
        others = {name for name, (component, _) in self.owners.items() if component not in self.components}
        if self.pipeline == "auto":
            others |= {feature.hyperparameter("weight") for feature in self.features.values()}
        else:
            others.add("scored_sources")
        return others.union(*(self._names(component, self.of(component.Options).unused)
                              for component in self.components.values()))  # fmt: skip

    @property
    def without_effect(self) -> list[str]:
        """Return the hyper-parameters that the user set and that have no effect."""
        return sorted(self.unused & self.model_fields_set)

    @property
    def search_space(self) -> dict[str, Range]:
        """Return the search ranges of the components in use, without hyper-parameters that the user set."""
        return {
            component.hyperparameter(option): values
            for component in self.components.values()
            for option, values in self.of(component.Options).search_space.items()
        }

    @staticmethod
    def _names(component: type[Component], options: set[str]) -> Iterator[str]:
        return map(component.hyperparameter, options)


def with_component_options() -> type[JobOptions]:
    """Return `JobOptions` with a field, and aliases, for each option of each component.

    Raises:
        TypeError: two components have a hyper-parameter with the same name.
    """
    fields: dict[str, Any] = {}
    owners: dict[str, tuple[str, str]] = {}
    aliases: dict[str, str] = {}
    for component in COMPONENTS.values():
        for option in component.own_options():
            name = component.hyperparameter(option)
            if name in fields or name in JobOptions.model_fields:
                raise TypeError(f"{component.name}: the hyper-parameter {name} already exists: rename the option")
            field = component.Options.model_fields[option]
            fields[name], owners[name] = (field.annotation, field), (component.name, option)
            if name != f"{component.name}_{option}":
                aliases[f"{component.name}_{option}"] = name
    config = create_model("TrainConfig", __base__=JobOptions, __module__=__name__, **fields)
    config.owners, config.aliases = owners, aliases
    return config


if TYPE_CHECKING:
    TrainConfig = JobOptions  # code reads a component's options by `of`, which is typed
else:
    TrainConfig = with_component_options()
