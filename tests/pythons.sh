#!/usr/bin/env bash
# Runs the fast tests on the oldest and the newest Python of 3.11 to 3.13 that this machine has.
#
#   tests/pythons.sh "not slow and not container"
#
# TORCH=cpu takes torch without CUDA. Each Python gets an environment in build/.
set -euo pipefail
cd "$(dirname "$0")/.."
marks=$1
found=()
for version in 3.11 3.12 3.13; do
  if "python$version" -c 'import sys; sys.exit(sys.version_info[:2] != tuple(map(int, sys.argv[1].split("."))))' \
    "$version" 2>/dev/null; then
    found+=("$version")
  fi
done
[ ${#found[@]} -gt 0 ] || { echo "expected python3.11, python3.12 or python3.13 on the PATH, found none"; exit 1; }
for version in $(printf '%s\n' "${found[0]}" "${found[-1]}" | sort -u); do
  environment=build/python-$version
  echo "Python $version: installing into $environment ..."
  [ -x "$environment/bin/python" ] || "python$version" -m venv "$environment"
  # Torch and its dependencies come from torch's own index.
  [ -z "${TORCH:-}" ] || "$environment/bin/python" -m pip install --quiet --disable-pip-version-check \
    --index-url "https://download.pytorch.org/whl/$TORCH" "$(grep '^torch==' requirements.txt)"
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check \
    --constraint requirements-dev.txt --editable '.[dev]'
  "$environment/bin/pytest" -n auto --dist worksteal -m "$marks"
done
