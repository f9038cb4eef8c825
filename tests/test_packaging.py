"""The package: lock files that match its metadata, and an installation in a fresh environment."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.job import ROOT

import recommender
from recommender.common import extras

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
# Lock file -> the extras that it locks.
LOCKS = {
    "requirements-serve.txt": ["serve"],
    "requirements.txt": ["serve", "train", "report", "aws"],
    "requirements-dev.txt": list(EXTRAS),
}
PACKAGES_OF_TORCH = re.compile(r"nvidia-.*|cuda-.*|triton")  # a build of torch requires exact versions of these


def locked(name: str) -> dict[str, str]:
    """Return package -> exact version, for this platform."""
    versions: dict[str, str] = {}
    for line in (ROOT / name).read_text().splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            (specifier,) = requirement.specifier
            assert specifier.operator == "==", line
            if requirement.marker is None or requirement.marker.evaluate():
                versions[canonicalize_name(requirement.name)] = specifier.version
    return versions


def direct(extras: list[str]) -> Iterator[Requirement]:
    """Yield the requirements of the package with these extras; an extra may name others."""
    for text in [*PROJECT["dependencies"], *(text for extra in extras for text in EXTRAS[extra])]:
        requirement = Requirement(text)
        if requirement.name == PROJECT["name"]:
            yield from direct(sorted(requirement.extras))
        else:
            yield requirement


def installed_closure(requirements: list[Requirement]) -> Iterator[str]:
    """Yield all installed packages that these requirements need, according to the installed metadata."""
    seen: set[tuple[str, str]] = set()
    waiting = [(requirement.name, extra) for requirement in requirements for extra in ["", *requirement.extras]]
    while waiting:
        name, extra = waiting.pop()
        name = canonicalize_name(name)
        if (name, extra) in seen or PACKAGES_OF_TORCH.fullmatch(name):
            continue
        seen.add((name, extra))
        yield name
        for text in metadata.requires(name) or ():
            needed = Requirement(text)
            environment = {**default_environment(), "extra": extra}
            if needed.marker is None or needed.marker.evaluate({key: str(value) for key, value in environment.items()}):
                waiting += [(needed.name, of) for of in ["", *needed.extras]]


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_locked_to_a_version_in_its_range(name: str) -> None:
    versions = locked(name)
    missing = [
        str(requirement)
        for requirement in direct(LOCKS[name])
        if not requirement.specifier.contains(versions.get(canonicalize_name(requirement.name), ""), prereleases=True)
    ]
    assert missing == [], "run make lock"


@pytest.mark.parametrize("name", ["requirements-serve", "requirements"])
def test_the_hash_locks_have_the_locked_packages_without_torch(name: str) -> None:
    pins: dict[str, int] = {}
    for line in (ROOT / f"{name}.lock").read_text().replace("\\\n", "").splitlines():
        if not line.startswith("#"):
            pin, *hashes = line.split("--hash=")
            pins[" ".join(pin.split())] = sum(
                bool(re.fullmatch(r"sha256:[0-9a-f]{64}", part.strip())) for part in hashes
            )
    assert min(pins.values()) > 0, "run make lock"
    lines = [line for line in (ROOT / f"{name}.txt").read_text().splitlines() if not line.startswith(("#", "torch=="))]
    assert set(pins) == {" ".join(line.split()) for line in lines}, "run make lock"


def test_the_cpu_build_of_torch_is_locked_by_hash_to_the_same_version() -> None:
    lines = (ROOT / "requirements-torch-cpu.lock").read_text().splitlines()
    pin, *hashes = [line.strip(" \\") for line in lines if not line.startswith("#")]
    assert pin == f"torch=={locked('requirements.txt')['torch']}+cpu", "run make lock"
    assert len(hashes) == len(set(hashes)) == 6  # Python 3.11 to 3.13, x86-64 and arm64
    assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", text) for text in hashes)


@pytest.mark.parametrize("name", ["requirements-serve.txt", "requirements.txt"])
def test_indirect_requirements_are_locked_and_no_other_packages(name: str) -> None:
    needed = set(installed_closure(list(direct(LOCKS[name]))))
    assert needed == set(locked(name)), "run make lock"


def test_the_error_for_a_missing_package_covers_every_extra() -> None:
    assert set(extras.EXTRAS) == set(EXTRAS) - {"dev"}


def test_the_lock_files_agree() -> None:
    everything = locked("requirements-dev.txt")
    for name in LOCKS:
        versions = locked(name)
        assert {package: everything[package] for package in versions} == versions, name


def test_installed_versions_are_the_locked_ones() -> None:
    here = {package: metadata.version(package).partition("+")[0] for package in locked("requirements.txt")}
    assert here == locked("requirements.txt")


def test_the_version_is_the_same_everywhere() -> None:
    version = recommender.__version__
    for document in (ROOT / "docs" / "api").glob("*.yaml"):
        assert f"\n  version: {version}\n" in document.read_text(), document
    (newest, *_) = re.findall(r"^## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert newest == version


def test_metadata_and_licence_file_name_the_same_licence() -> None:
    assert f"SPDX-License-Identifier: {PROJECT['license']}\n" in (ROOT / "LICENSE").read_text()


def test_the_github_workflow_runs_the_commands_of_ci() -> None:
    commands = (set(re.findall(r"make ([\w-]+)", (ROOT / file).read_text())) for file in
                (".ci/run", ".github/workflows/ci.yaml"))  # fmt: skip
    of_ci, of_github = commands
    assert of_ci - of_github == set()


@pytest.mark.slow
def test_the_package_installs_in_a_fresh_environment_with_all_its_files(tmp_path: Path) -> None:
    """Install from a package index."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "fresh"], check=True)
    fresh = tmp_path / "fresh" / "bin"
    options = ["--quiet", "--disable-pip-version-check"]
    install: list[str | Path] = [fresh / "python", "-m", "pip", "install", *options, str(ROOT)]
    done = subprocess.run(install, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shown = subprocess.run([fresh / "recommender", "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "synthesize" in shown.stdout
    (package,) = (tmp_path / "fresh" / "lib").glob("*/site-packages/recommender")
    ours = {path.relative_to(ROOT / "recommender") for path in (ROOT / "recommender").rglob("*") if path.is_file()}
    expected = {path for path in ours if "__pycache__" not in path.parts}
    assert {path for path in expected if not (package / path).exists()} == set()
    assert (package / "py.typed").exists()
