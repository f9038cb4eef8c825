# make demo    from a fresh clone: install, generate data, train, serve, recommend
# make container-demo   the same, but train and serve in containers (Docker)
# make cloud-demo   the path on AWS, on this machine: S3, containers, Lambda's runtime, API Gateway's event (Docker, Linux)
# make score   recommend to all users of the demo's model, offline
# make docs    build the documentation in build/docs, with tables that are generated from the code
# make study-sample   run the paper's study on synthetic data, with Surprise, implicit and LightFM: minutes
# make study   run the study on real data and write results/
#
# make check   check format, lint and types, then run the fast tests
# make test    run the fast tests
# make test-pythons   run the fast tests on the oldest and the newest Python of this machine
# make test-slow   run the tests that take minutes or need root (network namespaces, process 1)
# make test-container   build the image and test it in a Docker engine (as root on Debian it starts an engine if needed)
# make test-aws    test the commands that launch on AWS, with local servers in place of AWS
# make fuzz    send 100,000 hostile requests to a real server: 10 minutes
# make soak    attack a server, then send valid and hostile requests for 10 minutes; write results/reliability.md (Linux)
# make lock    write the exact versions of all packages, from pyproject.toml; make lock-check compares them
# make lock-base   pin the Dockerfile's base image to its current digest (Docker, a registry)
#
# On Linux without a GPU add TORCH=cpu: torch without CUDA is 200 MB instead of several GB.
# TORCH takes the name of any build on https://download.pytorch.org/whl/ (cpu, cu130, ...); the installed build stays.

PYTHON ?= python3
TORCH ?=
DEMO_ROOT ?= build/demo
IMAGE ?= recommender
DOCKER_BUILD ?=
DOCKERFILE ?= Dockerfile
BASE ?= python:3.11-slim
MODEL ?= $(DEMO_ROOT)/model
SCORES ?= $(DEMO_ROOT)/scores.parquet
WORKERS ?= auto

BIN := .venv/bin
FAST := "not slow and not real_component and not container and not aws"
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Torch and its dependencies come from torch's own index; pip looks up no other package there.
install_torch = $(if $(TORCH),$(1) -m pip install --quiet --disable-pip-version-check \
  --index-url https://download.pytorch.org/whl/$(TORCH) $(shell grep '^torch==' requirements.txt))
# Each lock file has the exact versions of a group of extras. Torch's CUDA packages come with the chosen build of torch.
LOCK := $(BIN)/uv pip compile --quiet pyproject.toml --universal --fork-strategy fewest --python-version 3.11 \
        --no-annotate --custom-compile-command "make lock"
# The packages of the image, with the hashes of their files. Torch's files differ between builds. The CPU build has its own
# lock file, which `make lock` writes when the version changes; that needs torch's index.
HASHES := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-annotate --generate-hashes \
        --custom-compile-command "make lock"
LOCKS := requirements.txt requirements-serve.txt requirements-dev.txt requirements.lock requirements-serve.lock \
         requirements-torch-cpu.lock requirements-sbom.lock
CPU_INDEX := https://download.pytorch.org/whl/cpu
IMAGE_EXTRAS := --extra serve --extra train --extra report --extra aws
RESOLVE := $(BIN)/uv pip compile --quiet requirements.txt --output-file build/resolved.txt
UNLOCKED := sed -i.before -E '/^(nvidia|cuda|triton)/d'

.PHONY: help demo container-demo cloud-demo aws score test test-pythons test-slow test-container test-aws fuzz soak check lock lock-check lock-base \
        docs format study study-sample benchmark clean

demo: .venv/installed
	$(BIN)/python demo.py --root $(DEMO_ROOT)

help:
	@sed -n '/^$$/q; s/^# \{0,1\}//p' Makefile

# The demo in containers. It needs Docker.
container-demo: .venv/installed
	docker build --tag $(IMAGE) $(DOCKER_BUILD) .
	$(BIN)/python demo.py --root $(DEMO_ROOT) --image $(IMAGE)

# The paper's Figure 5 without an account: S3, containers, Lambda's runtime, API Gateway's event. It needs Docker and Linux.
cloud-demo: .venv/installed-dev
	docker build --tag $(IMAGE) $(DOCKER_BUILD) .
	$(BIN)/python -m infra.local --image $(IMAGE) $(if $(KEEP),--keep)

# Recommendations for all users of the model in MODEL.
score: .venv/installed
	$(BIN)/recommender score --model $(MODEL) --output $(SCORES)

test: .venv/installed-dev
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m $(FAST)

# The fast tests on the oldest and the newest Python of 3.11 to 3.13 that this machine has.
test-pythons:
	tests/pythons.sh $(FAST)

test-slow: .venv/installed-spark
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "slow or real_component"

test-container: .venv/installed-dev
	tests/container/engine.sh $(BIN)/pytest -n $(WORKERS) --dist worksteal -m container

# The environment of python -m infra.
aws: .venv-aws/installed

test-aws: .venv/installed-dev .venv-aws/installed
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m aws

fuzz: .venv/installed-dev
	FUZZ_REQUESTS=100000 $(BIN)/pytest --capture no tests/service/test_fuzz.py

soak: .venv/installed-dev
	$(BIN)/python -m benchmarks.reliability

check: .venv/installed-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m $(FAST)

# First the tables that are generated from the code, then the site. Warnings are errors.
docs: .venv/installed-dev
	$(BIN)/python -m docs.generate
	rm -rf build/docs
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs build/docs
	@echo "open build/docs/index.html"

format: .venv/installed-dev
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# The paper's Table 5 and the hit rates of whole pipelines. After a stop, the same command resumes. Under 2 hours on 2 cores.
study: .venv/installed-study .venv-sasrec/installed
	$(BIN)/python -m study

study-sample: .venv/installed-study
	$(BIN)/python -m study --sample

# All benchmarks: three quarters of an hour on 2 cores. benchmarks/README.md says what each one needs.
benchmark: .venv/installed-benchmarks
	$(BIN)/python -m benchmarks.prepare
	$(BIN)/python -m benchmarks.main_job
	$(BIN)/python -m benchmarks.fit
	$(BIN)/python -m benchmarks.peers
	$(BIN)/python -m benchmarks.adam
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.serve
	$(BIN)/python -m benchmarks.score
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.tables
	$(BIN)/python -m benchmarks.generate

clean:
	rm -rf .venv .venv-aws .venv-sasrec build .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, this is $$($(PYTHON) --version): make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml requirements-dev.txt | .venv/bin/python
	@echo "Installing the package into .venv (torch is the large one) ..."
	$(call install_torch,$(BIN)/python)
	$(PIP) --constraint requirements-dev.txt --editable '.[serve,train,report,aws,prepare]'
	@touch $@

.venv/installed-dev: .venv/installed
	$(PIP) --constraint requirements-dev.txt --editable '.[dev]'
	@touch $@

.venv/installed-spark: .venv/installed-dev
	$(PIP) --constraint requirements-dev.txt --editable '.[spark]'
	@touch $@

# Lock files for the whole image, for an image that only serves, and for development: exact versions of all packages, for
# Linux on x86-64 and arm64, and for macOS. Locked versions stay if pyproject.toml allows them.
lock: .venv/installed-dev
	$(LOCK) $(IMAGE_EXTRAS) --output-file requirements.txt
	$(LOCK) --extra serve --constraint requirements.txt --output-file requirements-serve.txt
	$(LOCK) --all-extras --constraint requirements.txt --output-file requirements-dev.txt
	$(UNLOCKED) requirements.txt requirements-serve.txt requirements-dev.txt
	rm -f requirements.txt.before requirements-serve.txt.before requirements-dev.txt.before
	$(HASHES) --no-deps --no-emit-package torch requirements.txt --output-file requirements.lock
	$(HASHES) --no-deps requirements-serve.txt --output-file requirements-serve.lock
	$(HASHES) --group sbom --output-file requirements-sbom.lock
	torch=$$(grep '^torch==' requirements.txt)+cpu; grep -q "^$$torch " requirements-torch-cpu.lock || \
	  echo "$$torch" | $(HASHES) --no-deps --index-url $(CPU_INDEX) --output-file requirements-torch-cpu.lock -

# Checks that `make lock` would change no lock file, and that they resolve for each platform: on Linux with wheels only, on
# macOS with wheels for the large packages (gevent has no wheel for Python 3.11 there and is compiled).
lock-check: .venv/installed-dev
	mkdir -p build
	cp $(LOCKS) build/
	$(MAKE) lock
	for file in $(LOCKS); do diff build/$$file $$file || exit 1; done
	for python in 3.11 3.12 3.13; do \
	  for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_28; do \
	    $(RESOLVE) --python-version $$python --python-platform $$platform --only-binary :all: || exit 1; \
	  done; \
	  MACOSX_DEPLOYMENT_TARGET=14.0 $(RESOLVE) --python-version $$python --python-platform aarch64-apple-darwin \
	    $(foreach package,torch numpy scipy pandas pyarrow scikit-learn numba llvmlite,--only-binary $(package)) || exit 1; \
	done
	@echo "the lock files match pyproject.toml and resolve for Linux (x86-64, arm64) and macOS"

lock-base:
	docker pull --quiet $(BASE)
	digest=$$(docker image inspect --format '{{index .RepoDigests 0}}' $(BASE)) && \
	  sed -i.before "s|^ARG BASE=.*|ARG BASE=$(BASE)@$${digest#*@}|" $(DOCKERFILE)
	rm -f $(DOCKERFILE).before

# The SageMaker SDK is a gigabyte and needs an older gunicorn than the server, so it has its own environment.
.venv-aws/installed: infra/requirements.txt | .venv/bin/python
	@echo "Installing the SageMaker SDK into .venv-aws ..."
	$(PYTHON) -m venv .venv-aws
	.venv-aws/bin/python -m pip install --quiet --disable-pip-version-check -r infra/requirements.txt
	@touch $@

.venv/installed-study: study/requirements.txt .venv/installed
	$(PIP) --constraint requirements-dev.txt -r study/requirements.txt
	$(PIP) -r study/requirements-lightfm.txt || echo "LightFM needs a C compiler, which failed: the study leaves LightFM out"
	@touch $@

# RecTools needs older packages than the project, so it has its own environment. `make study-sample` leaves SASRec out.
.venv-sasrec/installed: study/requirements-sasrec.txt | .venv/bin/python
	@echo "Installing RecTools into .venv-sasrec ..."
	$(PYTHON) -m venv .venv-sasrec
	$(call install_torch,.venv-sasrec/bin/python)
	.venv-sasrec/bin/python -m pip install --quiet --disable-pip-version-check -r study/requirements-sasrec.txt
	@touch $@

.venv/installed-benchmarks: benchmarks/requirements.txt .venv/installed-spark .venv/installed-study
	$(PIP) -r benchmarks/requirements.txt
	@touch $@
