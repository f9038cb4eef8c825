#!/usr/bin/env bash
# Runs a command where a Docker engine answers: the one that is there, or one that is started for it and stopped behind it.
#
#   tests/container/engine.sh pytest -m container
#
# Where there is none, and this is Debian and root: installs Debian's, and keeps all of it in /var/tmp/recommender-docker. Where no
# registry can be reached either, python:3.11-slim is made of Debian's packages, for these tests alone.
set -euo pipefail
home=/var/tmp/recommender-docker
base=python:3.11-slim
export PATH=/usr/bin:$PATH  # Debian's client before others
export DOCKER_BUILDKIT=1

start_engine() {
  if ! command -v dockerd >/dev/null || ! command -v mmdebstrap >/dev/null; then
    apt-get update -q
    apt-get install -qy --no-install-recommends docker.io iptables mmdebstrap
  fi
  mkdir -p "$home"
  if [ ! -x "$home/registry/usr/bin/docker-registry" ]; then  # for tests/container/test_push.py; unpacked, not installed: it would serve
    (cd "$home" && apt-get update -q && apt-get download -q docker-registry && dpkg -x docker-registry_*.deb registry)
  fi
  export PATH=$PATH:$home/registry/usr/bin
  export DOCKER_HOST=unix://$home/docker.sock
  # Without a bridge: containers have no network, or the host's.
  dockerd --data-root "$home/data" --exec-root "$home/exec" --host "$DOCKER_HOST" --pidfile "$home/docker.pid" \
    --iptables=false --ip6tables=false --bridge=none >"$home/dockerd.log" 2>&1 &
  trap 'kill "$(cat "$home/docker.pid")" && wait' EXIT
  for _ in $(seq 60); do docker version >/dev/null 2>&1 && return; sleep 0.5; done
  cat "$home/dockerd.log"
  exit 1
}

make_base() {
  local folder=$home/base
  mkdir -p "$folder"
  if [ ! -f "$folder/rootfs.tar" ]; then
    cat /etc/apt/sources.list.d/debian.sources 2>/dev/null >"$folder/sources" || cat /etc/apt/sources.list >"$folder/sources"
    mmdebstrap --quiet --variant=minbase --include=ca-certificates,python3,python3-pip,python3-venv \
      --dpkgopt='path-exclude=/usr/share/doc/*' bookworm "$folder/unfinished.tar" <"$folder/sources"
    mv "$folder/unfinished.tar" "$folder/rootfs.tar"
  fi
  docker import "$folder/rootfs.tar" recommender-test/rootfs >/dev/null
  mkdir -p "$folder/context"
  cp /etc/ssl/certs/ca-certificates.crt "$folder/context/"
  printf '%s\n' 'FROM recommender-test/rootfs' \
    'RUN rm -f /usr/lib/python3*/EXTERNALLY-MANAGED && ln -sf /usr/bin/python3 /usr/local/bin/python' \
    'COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt' >"$folder/context/Dockerfile"
  docker build --quiet --network=host --tag "$base" "$folder/context" >/dev/null
}

docker version >/dev/null 2>&1 || start_engine
docker image inspect "$base" >/dev/null 2>&1 || docker pull --quiet "$base" 2>/dev/null || make_base
"$@"
