"""The report of a training: its content, its sentences about missing parts, its effect on the job."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from support.job import ROOT, Job
from support.shared import Shared

from recommender.cli import train
from recommender.cli.report import finished, main
from recommender.pipeline.recommender import Recommender
from recommender.ranking.learned import LearnedRanking
from recommender.report.activity import bins, label
from recommender.report.build import Report, build
from recommender.report.order import Weights
from recommender.report.page import page
from recommender.report.stages import Stages, stages
from recommender.report.summary import span
from recommender.sagemaker.environment import Container
from recommender.training.training_run import TrainingRun

SECTIONS = ["data", "learning", "order", "stages", "activity", "examples", "settings", "commands"]
HOSTILE = "<script>alert(1)</script><img src=http://example.com/x onerror='x()'>"
RATINGS = "user_id,item_id,rating\n" + "".join(
    f"u{user},i{item},{(user * item) % 5 + 1}\n" for user in range(12) for item in range(9) if (user + item) % 4
)


def text_of(job: Job) -> str:
    return job.container.report_file.read_text(encoding="utf-8")


def plots_of(job: Job) -> int:
    return text_of(job).count("<svg")


def missing(job: Job) -> list[str]:
    return re.findall(r'<p class="missing">(.*?)</p>', text_of(job), re.DOTALL)


@pytest.fixture
def reported(job: Job, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Return a small job; its train.main([]) writes the report."""
    monkeypatch.setenv("SM_HP_REPORT", "true")
    monkeypatch.setenv("SM_HP_EMBEDDING_DIM", "4")
    return job


@pytest.fixture(scope="module")
def whole(trained: Job, shared: Shared) -> Job:
    """Return a job with titles, test channel and timestamps, trained by train.py. Tests must not change it."""

    def make(folder: Path) -> None:
        job = Job(folder)
        shutil.copytree(trained.base_dir, folder, dirs_exist_ok=True)
        shutil.rmtree(job.container.checkpoint_dir)
        result = job.train(SM_HP_REPORT="true")
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.endswith(f"the report is in {job.container.report_file}\n")
        (folder / "said").write_text(result.stdout)

    return Job(shared.folder("reported", make))


@pytest.fixture(scope="module")
def training(whole: Job) -> TrainingRun:
    return finished(whole.container)


@pytest.fixture(scope="module")
def paper(whole: Job, shared: Shared) -> TrainingRun:
    """Return the same job with the pipeline paper."""

    def make(folder: Path) -> None:
        job = Job(folder)
        shutil.copytree(whole.base_dir / "input", folder / "input")
        job.write_hyperparameters(pipeline="paper", embedding_dim="16")
        job.train_shared()

    return finished(Job(shared.folder("paper", make)).container)


@pytest.fixture(scope="module")
def gathered(training: TrainingRun) -> Report:
    return build(training, every_size=False)


def test_train_py_writes_a_report_with_every_section_and_plot(whole: Job) -> None:
    assert re.findall(r'<section id="(\w+)">', text_of(whole)) == SECTIONS
    assert plots_of(whole) == 4 + 1 + 1 + 2 + 3 + 2
    assert missing(whole) == []


def test_the_report_shows_the_metrics_of_metrics_json(whole: Job, training: TrainingRun, gathered: Report) -> None:
    metrics, text = whole.metrics, text_of(whole)
    assert isinstance(gathered.stages, Stages)
    assert training.rows is not None
    by_name = {stage.name: stage for stage in gathered.stages.stages}
    assert [*by_name][:2] == ["final order", "candidates"]
    assert [*by_name][-2:] == ["paper", "item neighbours"]
    assert set(by_name) - {"candidates", "item neighbours"} == {"final order", "paper", *training.rows.sources}
    for name, prefix in {name: "test" if name == "final order" else name for name in by_name}.items():
        stage = by_name[name]
        if name not in ("candidates", "item neighbours"):
            assert {k: rate.value for k, rate in stage.rates.items()} == {
                k: metrics[f"{prefix}_hit_rate_at_{k}"] for k in (5, 10, 100)
            }
            assert (stage.ndcg.value, stage.mrr) == (metrics[f"{prefix}_ndcg_at_10"], metrics[f"{prefix}_mrr_at_10"])
            assert stage.order is not None
            diversity = (stage.order.coverage, stage.order.gini, stage.order.novelty)
            assert diversity == tuple(metrics[f"{prefix}_{what}_at_10"] for what in ("coverage", "gini", "novelty"))
        for rate in stage.rates.values():
            assert f"<td>{rate.value:.2%}</td>" in text
        assert f"<td>{stage.ndcg.value:.4f}</td>" in text
    final = by_name["final order"]
    assert final.rates[100].value <= gathered.stages.pool
    assert [final.rates[10].low, final.rates[10].high] == metrics["test_hit_rate_at_10_interval"]
    assert [final.ndcg.low, final.ndcg.high] == metrics["test_ndcg_at_10_interval"]
    for name in ("test_rmse", "validation_rmse"):
        assert f"<b>{metrics[name]:.3f}</b>" in text
    assert f"<b>{metrics['test_hit_rate_at_10']:.2%}</b>" in text
    row = gathered.summary.parts[0]
    assert [row.ratings, row.users, row.items] == [metrics[f"num_{what}"] for what in ("ratings", "users", "items")]
    assert not isinstance(gathered.curve, str)
    assert gathered.curve.rmse == metrics["validation_rmse_by_iteration"]


def test_in_the_paper_pipeline_the_ranking_only_orders_the_100_candidates(paper: TrainingRun) -> None:
    gathered = build(paper, every_size=False)
    assert isinstance(gathered.stages, Stages)
    names = [stage.name for stage in gathered.stages.stages]
    assert names == ["final order", "factorization", "popularity", "item neighbours"]
    final, candidates, *_ = gathered.stages.stages
    assert candidates.rates[100] == final.rates[100]
    assert final.rates[100].value == gathered.stages.pool
    text = page(gathered)
    assert "so at 100 both hit rates are equal" in text
    assert "candidate_score the rest, title_similarity 1" in text
    assert gathered.chosen == []


def test_the_errors_by_activity_add_up_to_the_test_error(whole: Job, gathered: Report) -> None:
    assert not isinstance(gathered.activity, str)
    for found in (gathered.activity.of_users, gathered.activity.of_items):
        squares = sum(one.rows * one.rmse.value**2 for one in found)
        rows = sum(one.rows for one in found)
        assert rows == whole.metrics["num_test_ratings"]
        assert (squares / rows) ** 0.5 == pytest.approx(whole.metrics["test_rmse"])
        assert all(one.rmse.low <= one.rmse.value <= one.rmse.high for one in found)


def test_the_error_at_the_models_embedding_size_is_that_of_the_training(whole: Job, gathered: Report) -> None:
    assert not isinstance(gathered.sizes, str)
    assert gathered.sizes.own == 16
    assert gathered.sizes.rmse[16] == whole.metrics["validation_rmse"]
    assert list(gathered.sizes.rmse) == [10, 16, 20, 50, 100, 150, 200, 250, 300]


def test_examples_match_the_recommender(training: TrainingRun, gathered: Report) -> None:
    assert len(gathered.examples) == 5
    assert sorted(example.events for example in gathered.examples) == [one.events for one in gathered.examples]
    for example in gathered.examples:
        answer = training.recommender.recommend(example.user_id).items
        assert [shown.predicted for shown in example.shown] == [item.predicted_rating for item in answer]
        assert [shown.sources for shown in example.shown] == [item.sources for item in answer]
        for shown, item in zip(example.shown, answer, strict=True):
            assert [(why.source, why.share) for why in shown.because] == [
                (one.source, one.share) for one in item.because
            ]
        assert len(example.history) == min(8, example.events)
        assert example.held_out
        assert [one.place - 1 for one in example.held_out if one.place and one.place <= 5] == [
            place for place, shown in enumerate(example.shown) if shown.hit
        ]


def test_the_same_training_gives_the_same_report_except_for_seconds(whole: Job, training: TrainingRun) -> None:
    before = text_of(whole)
    slower = {**training.metrics, **{name: 77.0 for name in training.metrics if name.startswith("seconds_")}}
    again = page(build(replace(training, metrics=slower), every_size=False))
    assert without_seconds(again) == without_seconds(before)
    assert main(["--base-dir", str(whole.base_dir)]) == 0
    assert text_of(whole) == before


def without_seconds(text: str) -> str:
    return re.sub(r"<b>[\d.]+ s</b>|<td>[\d.]+</td></tr>", "", text)


class Links(HTMLParser):
    """A parser that collects everything that a browser would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.places: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.places += [value for name, value in attrs if name in ("src", "href", "xlink:href", "srcset", "data")]


def test_the_report_loads_nothing_and_has_no_scripts(whole: Job) -> None:
    text = text_of(whole)
    links = Links(text)
    assert [place for place in links.places if not (place or "").startswith("#")] == []
    assert links.tags & {"script", "link", "img", "iframe", "object", "embed", "base"} == set()
    assert "@import" not in text
    assert re.findall(r"url\((?!#)", text) == []
    assert not re.search(r"\son\w+=", text)


def test_titles_and_ids_are_escaped_and_cut(reported: Job) -> None:
    reported.write("train/a.csv", RATINGS.replace("u1,", f'"{HOSTILE}",'))
    titles = "".join(f'i{item},"{HOSTILE} shirt {"very " * 300}{item}"\n' for item in range(9))
    reported.write("items/a.csv", "item_id,title\n" + titles)
    assert train.main([]) == 0
    text = text_of(reported)
    assert unescape(text).count(HOSTILE) > 5
    assert Links(text).tags & {"script", "img"} == set()
    assert "very " * 30 not in text
    assert len(text) < 300_000


def nothing_more(job: Job) -> list[str]:
    return ["no test channel", "no test channel"]


def unknown_users(job: Job) -> list[str]:
    job.write("test/t.csv", "user_id,item_id,rating\nstranger,i1,4\nstranger,unheard-of,2\n")
    return []


def known_users(job: Job) -> list[str]:
    job.write("test/t.csv", "user_id,item_id,rating\nu1,i1,4\nu2,unheard-of,2\nstranger,i2,1\n")
    job.write("items/i.csv", "item_id,title\ni1,Red shirt\ni2,\ni3,Red coat\n")
    return []


def unrated_test(job: Job) -> list[str]:
    job.write("test/t.csv", "user_id,item_id\nu1,i1\nstranger,i2\n")
    return ["The test channel has no ratings"]


def unrated(job: Job) -> list[str]:
    job.write("train/a.csv", re.sub(r",[^,\n]*$", "", RATINGS, flags=re.MULTILINE))
    job.write("test/t.csv", "user_id,item_id\nu1,i1\nu2,i3\n")
    return ["The events have no ratings", "The test channel has no ratings"]


def without_factorization(job: Job) -> list[str]:
    job.write_hyperparameters(candidate_sources="neighbours,popularity")
    known_users(job)
    return ["No source of this model predicts ratings", "No candidate source of this model predicts ratings"]


def paper_pipeline(job: Job) -> list[str]:
    job.write_hyperparameters(pipeline="paper")
    known_users(job)
    return ["The pipeline paper learns no weights"]


def one_rating(job: Job) -> list[str]:
    job.write("train/a.csv", "user_id,item_id,rating\nu,a,5\n")
    return ["nothing to validate on", "no test channel", "no test channel"]


def one_user(job: Job) -> list[str]:
    job.write("train/a.csv", "user_id,item_id,rating\nu,a,5\nu,b,1\n")
    job.write("test/t.csv", "user_id,item_id,rating\nu,a,4\n")
    return ["nothing to validate on"]


def own_validation(job: Job) -> list[str]:
    job.write("validation/v.csv", "user_id,item_id,rating\nu1,i4,4\nu2,i1,2\n")
    return ["no test channel", "no test channel"]


def strange_validation(job: Job) -> list[str]:
    job.write("validation/v.csv", "user_id,item_id,rating\nstranger,i4,4\n")
    return ["nothing to validate on", "no test channel", "no test channel"]


def sigmoid(job: Job) -> list[str]:
    job.write_hyperparameters(model="sigmoid", solver="adam", max_epochs="3")
    unknown_users(job)
    return ["recommender report --base-dir"]


def basic(job: Job) -> list[str]:
    job.write_hyperparameters(model="basic")
    return [*unknown_users(job), *known_users(job)]


def epochs(job: Job) -> list[str]:
    job.write_hyperparameters(solver="adam", max_epochs="40", patience="40")
    return ["recommender report --base-dir", *nothing_more(job)]


def fine_scale(job: Job) -> list[str]:
    job.write_hyperparameters(rating_min="0", rating_max="10")
    job.write("train/b.csv", "user_id,item_id,rating\n" + "".join(f"w,x{one},{one / 7}\n" for one in range(70)))
    return nothing_more(job)


@pytest.mark.parametrize(
    "change",
    [nothing_more, unknown_users, known_users, unrated_test, unrated, without_factorization, paper_pipeline, one_rating,
     one_user, own_validation, strange_validation, sigmoid, basic, epochs, fine_scale],
)  # fmt: skip
def test_the_report_says_what_is_missing_and_shows_the_rest(
    reported: Job, capfd: pytest.CaptureFixture[str], change: object
) -> None:
    reported.write("train/a.csv", RATINGS)
    assert callable(change)
    expected = change(reported)
    assert train.main([]) == 0
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    said = missing(reported)
    assert len(said) == len(expected), said
    assert [words for words, sentence in zip(expected, said, strict=True) if words not in sentence] == []
    assert re.findall(r'<section id="(\w+)">', text_of(reported)) == SECTIONS
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", text_of(reported), flags=re.DOTALL)


def test_the_command_always_fits_the_other_sizes(reported: Job) -> None:
    reported.write("train/a.csv", RATINGS)
    epochs(reported)
    assert train.main([]) == 0
    before = plots_of(reported)
    assert main([]) == 0
    assert plots_of(reported) == before + 1
    assert len(missing(reported)) == 2


def test_a_failed_report_does_not_fail_the_job(reported: Job, capfd: pytest.CaptureFixture[str]) -> None:
    reported.write("train/a.csv", RATINGS)
    assert train.main([]) == 0
    before = reported.fingerprints
    reported.container.report_file.with_name(".report.html.tmp").mkdir()
    assert train.main([]) == 0
    assert reported.fingerprints == before
    assert reported.failure is None
    assert not reported.container.report_file.exists()  # the report of the earlier training is gone
    assert reported.metrics["num_users"] == 12
    out = capfd.readouterr().out
    assert "Traceback" in out
    assert "the report can't be written, see above; model and metrics are complete" in out


def test_the_report_changes_neither_model_nor_checkpoints(reported: Job, capfd: pytest.CaptureFixture[str]) -> None:
    reported.write("train/a.csv", RATINGS)
    assert train.main([]) == 0
    before = reported.fingerprints
    capfd.readouterr()
    assert train.main(["--report", "false"]) == 0
    assert "resuming after iteration" in capfd.readouterr().out
    assert reported.fingerprints == before
    assert not reported.container.report_file.exists()
    reported.write_hyperparameters(report="false")
    assert train.main([]) == 0
    assert not reported.container.report_file.exists()


def test_a_job_without_the_report_loads_neither_matplotlib_nor_jinja2(job: Job) -> None:
    job.write("train/a.csv", RATINGS)
    asked = "{'matplotlib', 'jinja2', 'pandas'} & {*sys.modules}"
    code = f"import sys; from recommender.cli import train; print(train.main(['--report', 'false']), {asked})"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.stdout.splitlines()[-1] == "0 {'pandas'}"


def test_a_read_only_home_folder_causes_no_log_line(trained_copy: Job, tmp_path: Path) -> None:
    home = tmp_path / "file"
    home.write_text("not a folder")
    folders = {name: str(home / "x") for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR")}
    trained_copy.write_hyperparameters(embedding_dim="16", pipeline="paper")
    result = trained_copy.train(SM_HP_REPORT="true", **folders)
    assert (result.returncode, result.stderr) == (0, "")
    assert "the report is in" in result.stdout
    assert "atplotlib" not in result.stdout


def other_ratings(job: Job) -> str:
    job.write("train/b.csv", "user_id,item_id,rating\nsomebody,i1,5\n")
    return "channel train: expected the events that the model was trained on, got other events"


def no_metrics(job: Job) -> str:
    job.container.metrics_file.unlink()
    return "metrics.json: expected the metrics that train.py writes"


def no_model(job: Job) -> str:
    shutil.rmtree(job.container.model_dir)
    return "model/config.json: is missing"


@pytest.mark.parametrize("spoil", [other_ratings, no_metrics, no_model])
def test_the_report_of_an_unfinished_training_is_an_error(job: Job, spoil: object) -> None:
    job.write("train/a.csv", RATINGS)
    assert train.main(["--embedding_dim", "4"]) == 0
    assert callable(spoil)
    expected = spoil(job)
    command = [sys.executable, "-m", "recommender", "report", "--base-dir", str(job.base_dir)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert expected in result.stderr
    assert "Traceback" not in result.stderr


def test_the_report_shows_the_weights_of_the_ranking(training: TrainingRun, gathered: Report) -> None:
    found, text = gathered.weights, page(gathered)
    assert isinstance(found, Weights)
    ranking = training.recommender.model.ranking
    assert ranking is not None
    assert found.weights == ranking.weights
    assert list(found.weights.values()) == sorted(ranking.weights.values(), reverse=True)
    assert found.session_weights == (ranking.session_weights or {})
    assert found.targets == training.metrics["num_targets"]
    assert found.targets > 0
    assert found.ndcg.pop("learned ranking") == training.metrics["validation_final_ndcg_at_100"]
    assert found.ndcg == {name: training.metrics[f"validation_{name}_ndcg_at_100"] for name in found.ndcg}
    assert found.ndcg.keys() == set(training.config.source_names)
    for column in found.weights:
        assert f">{column}</text>" in text
    assert found.sentence in text


def test_the_report_names_the_source_that_decides_alone(training: TrainingRun) -> None:
    metrics = {**training.metrics, "validation_ease_ndcg_at_100": 0.9}
    model = replace(training.recommender.model, ranking=LearnedRanking({"ease": 1.0}))
    found = build(replace(training, recommender=Recommender(model), metrics=metrics), every_size=False)
    assert isinstance(found.weights, Weights)
    assert found.weights.alone == "ease"
    assert found.weights.session_weights == {}
    assert "ease alone is better than the learned ranking beyond noise, so it decides the order." in page(found)


def test_the_report_shows_the_weights_of_sessions(training: TrainingRun) -> None:
    model = replace(training.recommender.model, ranking=LearnedRanking({"ease": 1.0}, {"titles": 0.5, "log ease": 2.0}))
    found = build(replace(training, recommender=Recommender(model)), every_size=False)
    assert isinstance(found.weights, Weights)
    assert list(found.weights.session_weights.items()) == [("log ease", 2.0), ("titles", 0.5)]
    assert ">Within a session</text>" in page(found)


def test_the_report_shows_the_chosen_options(whole: Job, gathered: Report) -> None:
    said = re.findall(r"^(\w+): best of .*: (.*)$", whole.container.base_dir.joinpath("said").read_text(), re.MULTILINE)
    assert said
    shown = {one.source: one.options for one in gathered.chosen}
    for source, options in said:
        assert shown[source] == dict(pair.split() for pair in options.split("--")[1:])


def test_metrics_of_an_earlier_version_have_no_learning_curve(training: TrainingRun) -> None:
    older = {name: value for name, value in training.metrics.items() if name != "validation_rmse_by_iteration"}
    found = build(replace(training, metrics=older), every_size=False)
    assert isinstance(found.curve, str)
    assert "no learning curve" in page(found)


FEW = ["--candidate_sources", "factorization,popularity"]


def test_the_commands_have_the_given_options_and_are_quoted_for_a_shell(reported: Job) -> None:
    file = reported.write("odd name's/a.csv", RATINGS)
    assert train.main(["--base-dir", str(reported.base_dir), "--train", str(file), "--seed", "7", *FEW]) == 0
    commands = [unescape(line) for line in re.findall(r"<pre>(.*?)</pre>", text_of(reported), re.DOTALL)]
    assert len(commands) == 6
    assert "--seed 7 " in commands[0]
    assert "--embedding_dim 4" in commands[0]
    before = reported.fingerprints
    shutil.rmtree(reported.container.model_dir)
    for line in (commands[0], commands[-1]):
        result = subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True)
        assert result.returncode == 0, result.stderr
    assert reported.fingerprints == before
    assert Container(reported.base_dir).report_file.exists()


@pytest.mark.parametrize(("bound", "value", "users"), [("MAX_USERS", 50, 50), ("MAX_WORK", 0, 1)])
def test_item_neighbours_use_a_sample_of_a_large_test_channel(
    training: TrainingRun, gathered: Report, monkeypatch: pytest.MonkeyPatch, bound: str, value: int, users: int
) -> None:
    monkeypatch.setattr(f"recommender.report.stages.{bound}", value)
    found = stages(training)
    assert isinstance(found, Stages)
    assert [found.drawn, found.stages[-1].rows] == [users, users]
    assert found == stages(training)
    text = page(replace(gathered, stages=found))
    assert f"Item neighbours cover {users} test user{'s' if users > 1 else ''}, drawn by the seed" in text


def test_bins_of_activity_double() -> None:
    counts = np.array([0, 1, 2, 3, 4, 5, 8, 9, 1024, 1025])
    expected = ["0", "1", "2", "3-4", "3-4", "5-8", "5-8", "9-16", "513-1,024", "1,025-2,048"]
    assert [label(int(number)) for number in bins(counts)] == expected


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
def test_only_times_since_1970_become_dates(unit: int) -> None:
    assert span(np.array([1_600_000_000, 1_700_000_000]) * unit) == ("2020-09-13", "2023-11-14")
    assert span(np.arange(5) * unit) is None


def test_a_right_to_left_title_does_not_change_its_surroundings(gathered: Report) -> None:
    html = unescape(page(gathered))
    assert gathered.examples
    for example in gathered.examples:
        for words in (example.user_id, *(item.title for item in example.shown)):
            assert f"<bdi>{words}</bdi>" in html


def test_a_report_without_the_test_channel_has_no_test_metrics(whole: Job, tmp_path: Path) -> None:
    again = Job(tmp_path / "again")
    shutil.copytree(whole.base_dir, again.base_dir)
    shutil.rmtree(again.base_dir / "input" / "data" / "test")
    assert main(["--base-dir", str(again.base_dir)]) == 0
    html = (again.base_dir / "output" / "data" / "report.html").read_text(encoding="utf-8")
    assert "There is no test channel" in html
    assert "<span>test RMSE</span>" not in html
    assert "items are in the user's test rows" not in html
