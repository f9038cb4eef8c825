"""The demo, from end to end: generate data, train, serve, request recommendations. `make demo` runs it.

It runs the project's commands as processes, as a user would type them.
"""

import json
import os
import shlex
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import click
import pandas as pd

from recommender.sagemaker.environment import BASE_DIR, Container
from recommender.sagemaker.server_environment import BIND_TO_PORT, CONTAINER_LOG_LEVEL
from recommender.service.process import Server, running_server
from recommender.synthetic.write import METADATA_FILE, REVIEWS_FILE

HERE = Path(__file__).parent
MAX_SHOWN = 6  # ratings of a history
SHORT = 3  # items of a response with rules
PYTHON = os.path.relpath(sys.executable) if Path(sys.prefix).is_relative_to(HERE) else "python"
QUIET = {CONTAINER_LOG_LEVEL: "WARNING"}
GARMENT = "Sunglasses"  # a new user of the demo has viewed these
ORDERS = {"test": "the learned ranking", "paper": "the paper's pipeline", "popularity": "popular items"}


@click.command()
@click.option("--root", type=click.Path(file_okay=False, path_type=Path), default=Path("build/demo"), show_default=True,
              help="Folder of the demo's job.")  # fmt: skip
@click.option("--image", help="Image for training and serving in containers.")
def main(root: Path, image: str | None) -> None:
    """Generate a synthetic fashion data set, train on it, serve the model and request recommendations."""
    started = time.monotonic()
    container = Container(root.resolve())
    heading("1. A synthetic fashion data set, raw as Amazon Reviews 2023")
    raw = root / "raw"
    run("-m", "recommender", "synthesize", "--output", raw)
    heading("2. Prepare: raw reviews become the channels of a training job, as in the paper")
    # A review of a variant counts for its parent, since the metadata has the parent's title.
    files = ("--reviews", raw / REVIEWS_FILE, "--metadata", raw / METADATA_FILE)
    channels = root / "input" / "data"
    run("-m", "recommender", "prepare", *files, "--output", channels, "--item_key", "parent_asin")
    heading("3. Train, as a SageMaker training job would")
    write_hyperparameters(container)
    train(container, image)
    heading("4. Serve, as a SageMaker endpoint would")
    command = [sys.executable, "serve.py"] if image is None else in_container(image, container, "serve")
    folder = os.path.relpath(container.base_dir)
    serve = f"{PYTHON} serve.py --base-dir {folder}" if image is None else shlex.join(command)
    click.echo(f"$ {serve}")
    with running_server(container.base_dir, QUIET, command=command) as server:
        ask_for_recommendations(server, container)
        heading("5. Rules, and other requests of a shop")
        ask_with_rules(server, container)
    click.echo(f"\nThe server has stopped (exit code {server.process.returncode}).")
    heading("6. A new item, without training")
    new_item = add_item(container)
    with running_server(container.base_dir, QUIET, command=command) as server:
        ask_for_new_item(server, container, new_item)
    heading("7. Metrics")
    report_metrics(container)
    click.echo(f"Done in {time.monotonic() - started:.0f} s. Serve the model again:\n$ {serve}")


def train(container: Container, image: str | None) -> None:
    """Train with this Python or in a container, which needs no network."""
    if image is None:
        run("train.py", base_dir=container.base_dir)
        return
    command = in_container(image, container, "train", network="none")
    click.echo(f"$ {shlex.join(command)}")
    if code := subprocess.run(command).returncode:  # noqa: S603 - this project's command
        sys.exit(code)


def in_container(image: str, container: Container, word: str, network: str = "host") -> list[str]:
    """Return the `docker run` command of the current user, so that this user owns the written files."""
    mount = f"{container.base_dir}:/opt/ml"
    return ["docker", "run", "--rm", f"--network={network}", f"--user={os.getuid()}:{os.getgid()}", "-v", mount,
            "-e", BIND_TO_PORT, "-e", CONTAINER_LOG_LEVEL, image, word]  # fmt: skip


def heading(text: str) -> None:
    """Print the title of a step."""
    click.secho(f"\n{text}", bold=True)


def run(*arguments: object, base_dir: Path | None = None) -> None:
    """Print and run one of the project's commands; exit with its code if it fails."""
    words = [str(argument) for argument in arguments]
    variables = {} if base_dir is None else {BASE_DIR: str(base_dir)}
    shown = [f"{name}={os.path.relpath(value)}" for name, value in variables.items()]
    click.echo(" ".join(["$", *shown, PYTHON, *words]))
    code = subprocess.run([sys.executable, *words], cwd=HERE, env=os.environ | variables).returncode  # noqa: S603
    if code:
        sys.exit(code)


def write_hyperparameters(container: Container) -> None:
    """Write hyper-parameters as SageMaker does, as strings; a small catalogue needs only a small embedding size."""
    container.hyperparameters_file.parent.mkdir(parents=True, exist_ok=True)
    container.hyperparameters_file.write_text(json.dumps({"embedding_dim": "32"}))


def ask_for_recommendations(server: Server, container: Container) -> None:
    """Request recommendations for a known user, new users with histories and a user without any events."""
    train, items = events_and_items(container)
    titles = dict(zip(items["item_id"], items["title"], strict=True))
    known, donor = contented_users(train)[:2]

    ask(server, titles, "A user of the training data", {"user_id": known}, events_of(train, known))
    newer = events_of(train, donor)[:1]
    request = {"user_id": known, "history": newer}
    ask(server, titles, "The same user, who has just rated one more item", request, events_of(train, known) + newer)
    handful = events_of(train, donor)[:3]
    request = {"user_id": "a-new-user", "history": handful}
    ask(server, titles, "A new user, with a handful of ratings in the request", request, handful)
    views = [{"item_id": item_id} for item_id in best_known(train, items)]
    request = {"user_id": "another-new-user", "history": views}
    ask(server, titles, f"A new user, who has viewed three {GARMENT.lower()} and rated nothing", request, views)
    ask(server, titles, "A user without any events", {"user_id": "yet-another-user"}, [])


def ask_with_rules(server: Server, container: Container) -> None:
    """Request a response with each rule, and one of each other kind."""
    train, items = events_and_items(container)
    user_id, stores = contented_users(train)[0], items["store"].value_counts().index.tolist()
    best = best_known(train, items)
    garments = {"filter": {"categories": {"any": [f"Polarized {GARMENT}", f"Aviator {GARMENT}"]}}}
    user = {"user_id": user_id, "top_k": SHORT}
    for what, request in (
        ("Only items of a category that have a low price or none", {**user, "filter": {
            **garments["filter"], "price": {"max": 20, "missing": True}}}),
        ("Only some items, without one of them", {**user, "allow": best, "deny": best[:1]}),
        ("At most one item of a store", {**user, **garments, "max_per": {"store": 1}}),
        ("More diverse titles", {**user, "diversity": 0.5}),
        ("Half of the places for a promoted store", {
            **user, "promote": {"filter": {"store": {"any": stores[:1]}}, "share": 0.5}}),
        ("Half of the places for new and rare items", {**user, "explore": 0.5}),
        ("Related items", {"item_id": best[0], "top_k": SHORT}),
        ("Items that go with a basket", {"items": best[:2], "top_k": SHORT}),
        ("A given list, the best for the user first", {"user_id": user_id, "rank": best}),
        ("A new user who says what is of interest", {
            "user_id": "visitor", "interests": [f"black {GARMENT.lower()}"]}),
        ("Items to ask a new user about", {"onboarding": SHORT}),
        ("Trending items of a category", {"trending": True, **garments, "top_k": SHORT}),
    ):  # fmt: skip
        click.secho(f"\n{what}", bold=True)
        ask_briefly(server, request)


def add_item(container: Container) -> str:
    """Add a new variant of a known item to the model with `recommender update-items`; return its ID."""
    train, items = events_and_items(container)
    titles = dict(zip(items["item_id"], items["title"], strict=True))
    title = f"{titles[best_known(train, items)[0]]} with Gift Box"
    new_item = {"item_id": "NEW0000001", "title": title, "price": 15.0}
    file = container.base_dir / "new.csv"
    pd.DataFrame([new_item]).to_csv(file, index=False)
    run("-m", "recommender", "update-items", os.path.relpath(file), "--model", os.path.relpath(container.model_dir))
    return str(new_item["item_id"])


def ask_for_new_item(server: Server, container: Container, new_item: str) -> None:
    """Show that the new item is recommended to a user who has viewed similar ones."""
    train, items = events_and_items(container)
    views = [{"item_id": item_id} for item_id in best_known(train, items)]
    click.secho(f"\nA user who has viewed {GARMENT.lower()}, with half of the places for new and rare items", bold=True)
    found = ask_briefly(server, {"user_id": "visitor", "history": views, "explore": 0.5})
    if new_item not in found:
        raise click.ClickException(f"the new item {new_item} is not among the recommendations {found}")


def ask_briefly(server: Server, request: dict[str, Any]) -> list[str]:
    """Send a request, print the items of the response, each in a line, and return their IDs."""
    click.echo(f"POST /invocations {json.dumps(request)}")
    status, response = server.invoke(request)
    if status != 200:
        raise click.ClickException(f"the server responded with status {status}: {response}")
    for rank, item in enumerate(response["items"], start=1):
        rule = f"  (rule: {item['rule']})" if item["rule"] else ""
        click.echo(f"  {rank}. {item['title'] or item['item_id']}{rule}")
    return [item["item_id"] for item in response["items"]]


def events_and_items(container: Container) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the events of the training and the items, as the job reads them."""
    return pd.read_parquet(container.channel_dir("train")), pd.read_parquet(container.channel_dir("items"))


def contented_users(train: pd.DataFrame) -> list[str]:
    """Return users with few ratings, all of them good, so that their histories are easy to read."""
    ratings = train.groupby("user_id", sort=False)["rating"].agg(["size", "min"])
    return ratings[(ratings["size"] <= MAX_SHOWN) & (ratings["min"] >= 4)].index.tolist()


def best_known(train: pd.DataFrame, items: pd.DataFrame, count: int = 3) -> list[str]:
    """Return the IDs of the items with `GARMENT` in their titles that have most ratings."""
    fitting = items.loc[items["title"].str.contains(GARMENT), "item_id"]
    return train.loc[train["item_id"].isin(fitting), "item_id"].value_counts().index[:count].tolist()


def events_of(train: pd.DataFrame, user_id: str) -> list[dict[str, Any]]:
    """Return the user's ratings, oldest first, in the form of a request's history."""
    own = train[train["user_id"] == user_id].sort_values("timestamp")
    return [
        {"item_id": item_id, "rating": rating} for item_id, rating in zip(own["item_id"], own["rating"], strict=True)
    ]


def ask(
    server: Server, titles: dict[str, str], who: str, request: dict[str, Any], history: list[dict[str, Any]]
) -> None:
    """Request recommendations and print the history and the response."""
    click.secho(f"\n{who}", bold=True)
    click.echo(textwrap.shorten(f"POST /invocations {json.dumps(request)}", 110, placeholder=" ..."))
    for event in history:
        click.echo(f"    {as_read(event)}  {titles[event['item_id']] or event['item_id']}")
    status, response = server.invoke(request)
    if status != 200:
        raise click.ClickException(f"the server responded with status {status}: {response}")
    click.echo(f"  source: {response['source']}")
    for rank, item in enumerate(response["items"], start=1):
        click.echo(f"  {rank}. {item['title'] or item['item_id']}")
        rating = item["predicted_rating"]
        predicted = "none" if rating is None else f"{rating:.2f}"
        click.secho(f"     score {item['score']:.3f}, predicted rating {predicted}", dim=True)
        for reason in reasons_of(item, titles):
            click.secho(f"     {reason}", dim=True)


def as_read(event: dict[str, Any]) -> str:
    """Return in words what the user did with an item."""
    return f"rated {event['rating']:.0f}" if "rating" in event else "viewed"


def reasons_of(item: dict[str, Any], titles: dict[str, str]) -> list[str]:
    """Return the reasons of a recommendation: each with the parts of the score that have it, and shared words."""
    found: dict[str, list[str]] = {}
    for because in item["because"]:
        known = [titles[item_id] or item_id for item_id in because["item_ids"]]
        reason = because["text"] or f"because of: {', '.join(known)}"
        words = f": {', '.join(because['words'])}" if because["words"] else ""
        found.setdefault(reason, []).append(f"{because['share']:.0%} {because['source']}{words}")
    return [f"{reason} ({'; '.join(parts)})" for reason, parts in found.items()] or ["because of many small parts"]


def report_metrics(container: Container) -> None:
    """Print the metrics on the held-out events."""
    metrics = json.loads(container.metrics_file.read_text())
    click.echo(f"On {metrics['num_test_ratings']:,} held-out events: RMSE {metrics['test_rmse']:.3f}; hit rate at 10:")
    for name, order in ORDERS.items():
        hit_rate = metrics.get(f"{name}_hit_rate_at_10")
        click.echo(f"  {'not measured' if hit_rate is None else f'{hit_rate:.3f}'}  {order}")


if __name__ == "__main__":
    main()
