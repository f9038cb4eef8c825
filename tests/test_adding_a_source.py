"""The page "Adding a source" is true: one new file, and the source trains, serves, is reported, is refused by name."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.job import ROOT, Job

from recommender.service.process import Server, running_server

PAGE = (ROOT / "docs" / "adding-a-source.md").read_text(encoding="utf-8")
OPTIONS = ["--candidate_sources", "factorization,newest", "--newest_min_events", "2", "--embedding_dim", "4"]


@dataclass(frozen=True)
class House:
    """A copy of the project with one more file."""

    root: Path

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", *arguments]
        environment = os.environ | {"PYTHONPATH": str(self.root)}
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    root = tmp_path_factory.mktemp("house")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("recommender", "tests", "docs", "infra", "lambda"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for name in ("pyproject.toml", "train.py", "serve.py"):
        shutil.copy(ROOT / name, root)
    for name in ("study", "results"):
        (root / name).mkdir()
    shutil.copy(ROOT / "results" / "hits.json", root / "results")
    add(root, 0)
    return House(root)


def add(root: Path, number: int) -> None:
    """Save a file of the page, the first, second or third one, as it says."""
    file = re.findall(r"[Ss]ave this as `(recommender/[\w/]+\.py)`", PAGE)[number]
    assert not (root / file).exists()
    (root / file).write_text(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[number])


@pytest.fixture(scope="module")
def job(house: House, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job that the house has trained with its new source."""
    job = Job(tmp_path_factory.mktemp("job"))
    job.write_synthetic(users=120, items=100, ratings=1_500)
    result = house.run("recommender", "train", "--base-dir", str(job.base_dir), *OPTIONS)
    assert result.returncode == 0, result.stderr
    return job


@pytest.fixture(scope="module")
def server(house: House, job: Job) -> Iterator[Server]:
    command = [sys.executable, "-P", "-m", "recommender", "serve"]  # the house's, not that of this folder
    with running_server(job.base_dir, {"PYTHONPATH": str(house.root)}, command=command) as server:
        yield server


def test_it_is_trained_and_saved_in_the_model_folder(job: Job) -> None:
    config = json.loads((job.container.model_dir / "config.json").read_text())
    assert config["hyperparameters"]["newest_min_events"] == 2
    assert "newest.score.npy" in job.model_files


def test_it_is_measured_and_reported(job: Job) -> None:
    assert 0 <= job.metrics["newest_hit_rate_at_10"] <= 1
    page = job.container.report_file.read_text(encoding="utf-8")
    assert "<td>newest</td>" in page
    assert "newest_min_events" in page


def test_it_takes_part_in_the_learned_ranking(job: Job) -> None:
    config = json.loads((job.container.model_dir / "config.json").read_text())
    assert config["ranking"]["weights"].keys() & {"newest", "log newest"}
    assert 0 < job.metrics["validation_newest_ndcg_at_100"] < 1


def test_it_is_served_with_its_reason(server: Server) -> None:
    status, known = server.invoke({"user_id": "nobody", "top_k": 5})
    assert (status, known["source"], len(known["items"])) == (200, "newest", 5)
    assert {tuple(item["sources"]) for item in known["items"]} == {("newest",)}
    first = known["items"][0]["because"]
    assert first == [{"source": "newest", "share": 1.0, "item_ids": [], "words": [], "text": "new here"}]


def test_its_option_is_chosen_unless_it_is_set(house: House, job: Job) -> None:
    other = Job(job.base_dir / "chosen")
    shutil.copytree(job.base_dir / "input", other.base_dir / "input")
    options = ["--base-dir", str(other.base_dir), "--candidate_sources", "newest"]
    result = house.run("recommender", "train", *options)
    assert result.returncode == 0, result.stderr
    assert re.search(
        r"newest: best of 3 settings on \d+ held-out events: --newest_min_events [125]$", result.stdout, re.M
    )
    result = house.run("recommender", "train", *options, "--newest_min_events", "2")
    assert "newest: chosen" not in result.stdout


def test_it_is_left_out_with_a_reason_if_the_data_is_unsuited(house: House, job: Job) -> None:
    other = Job(job.base_dir / "unsuited")
    other.write("train/a.csv", "user_id,item_id,timestamp\nu,a,2020-01-01\nu,b,2020-01-01\nv,a,2020-01-01\n")
    options = ["--base-dir", str(other.base_dir), "--candidate_sources", "newest,popularity"]
    result = house.run("recommender", "train", *options)
    assert result.returncode == 0, result.stderr
    assert "newest is left out: all events have the same time" in result.stdout
    assert "newest.score.npy" not in other.model_files


def test_sagemaker_reads_its_metrics(house: House) -> None:
    code = (
        "from recommender.training.metrics import metric_definitions as of; from recommender.hyperparameters import "
        "TrainConfig as C; print(of(C.from_hyperparameters({'candidate_sources': 'newest'}, 'x')))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=house.root, capture_output=True, text=True, check=True)
    assert "'newest_hit_rate_at_100'" in result.stdout


def test_the_error_names_an_invalid_value_of_its_option(house: House, job: Job) -> None:
    result = house.run("recommender", "train", "--base-dir", str(job.base_dir / "x"), "--newest_min_events", "0")
    assert result.returncode == 1
    assert "hyper-parameter 'newest_min_events': expected" in result.stderr
    assert "--newest_min_events" in house.run("recommender", "train", "--help").stdout


def test_the_error_for_a_model_without_its_source_names_the_source(job: Job) -> None:
    command = [sys.executable, "-m", "recommender", "score", "--model", str(job.container.model_dir)]
    command += ["--output", str(job.base_dir / "scores.parquet")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1
    assert "the model uses 'newest', which this installation does not have" in result.stderr
    assert "Traceback" not in result.stderr


def contract_suite(house: House, name: str) -> "subprocess.CompletedProcess[str]":
    """Run the tests of the contract for one component, and those of the structure; list them all."""
    suites, only = ("tests/components", "tests/test_structure.py"), f"{name} or test_structure"
    return house.run("pytest", "-v", "-p", "no:cacheprovider", "-k", only, *suites)


@pytest.mark.slow
def test_it_passes_the_contract_suite_and_the_structure_test(house: House) -> None:
    result = contract_suite(house, "newest")
    assert result.returncode == 0, result.stdout[-3_000:]
    assert "[newest" in result.stdout


def test_the_documentation_gets_its_options(house: House) -> None:
    shutil.copy(ROOT / "README.md", house.root)
    assert house.run("docs.generate").returncode == 0
    reference = (house.root / "docs/reference/hyper-parameters.md").read_text()
    assert "| `newest_min_events` | 1 | 1 to 1e+06 |" in reference
    assert "newest" in (house.root / "docs/api/endpoint.yaml").read_text()


SHOW = """
import json, sys
from recommender import Recommender
recommender = Recommender.load(sys.argv[1])
items = recommender.recommend(recommender.model.users.id(0)).items
weights = recommender.model.ranking.weights if recommender.model.ranking else {}
parts = {because.source for item in items for because in item.because}
print(json.dumps([items[0].features, sorted(weights), sorted(parts)]))
"""


@pytest.mark.slow
def test_a_feature_is_added_alike_and_older_models_are_served_without_it(house: House, job: Job) -> None:
    add(house.root, 1)
    result = contract_suite(house, "well_known")
    assert result.returncode == 0, result.stdout[-3_000:]
    assert "[well_known" in result.stdout

    def shown(job: Job) -> tuple[dict[str, float | None], list[str], list[str]]:
        command = [sys.executable, "-c", SHOW, str(job.container.model_dir)]
        result = subprocess.run(command, cwd=house.root, capture_output=True, text=True, check=True)
        features, weights, parts = json.loads(result.stdout)
        return features, weights, parts

    def trained(name: str, *options: str) -> Job:
        other = Job(job.base_dir / name)
        shutil.copytree(job.base_dir / "input", other.base_dir / "input")
        result = house.run("recommender", "train", "--base-dir", str(other.base_dir), "--embedding_dim", "4", *options)
        assert result.returncode == 0, result.stderr
        return other

    older, weights, _ = shown(job)
    assert list(older) == ["similarity", "well_known"]
    assert older["well_known"] is None
    assert [name for name in weights if "well_known" in name] == []
    learned, weights, _ = shown(trained("learned", "--candidate_sources", "newest"))
    assert learned["well_known"] is not None
    assert [name for name in weights if "well_known" in name]
    paper = ["--pipeline", "paper", "--well_known_weight"]
    weighted, weights, parts = shown(trained("paper", *paper, "1", "--rerank_weight", "0"))
    assert weighted["well_known"]
    assert (weights, parts) == ([], [])  # the only part of the score is a feature without reasons
    refused = house.run("recommender", "train", "--base-dir", str(job.base_dir / "x"), *paper, "0.3")
    assert "at most 1, got rerank_weight 1 + well_known_weight 0.3" in refused.stderr


ASK = """
import sys
from recommender import Recommender
recommender = Recommender.load(sys.argv[1])
user_id, count = recommender.model.users.id(0), recommender.model.num_events
found = recommender.recommend(user_id, top_k=10, min_events=20).items
print(min(count[recommender.model.items.number(item.item_id)] for item in found))
recommender.recommend(user_id, min_events=-1)
"""


def test_a_rule_is_added_alike(house: House, job: Job) -> None:
    add(house.root, 2)
    command = [sys.executable, "-c", ASK, str(job.container.model_dir)]
    result = subprocess.run(command, cwd=house.root, capture_output=True, text=True)
    assert int(result.stdout) >= 20
    assert "min_events: expected greater than or equal to 0, got -1" in result.stderr
    shutil.copy(ROOT / "README.md", house.root)
    assert house.run("docs.generate").returncode == 0
    assert "min_events" in (house.root / "docs/api/endpoint.yaml").read_text()
