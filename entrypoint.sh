#!/bin/sh
# The image's commands: train, serve, the other commands of `recommender`, healthy; any other program runs unchanged.
# exec makes the program process 1, so that it receives SageMaker's SIGTERM.
command=${1:-train}
[ $# -gt 0 ] && shift
case $command in
  train | serve) exec python "/opt/program/$command.py" "$@" ;;
  prepare | split | score | tune | report | download | synthesize | --help | --version)
    exec python -m recommender "$command" "$@" ;;
  healthy)
    grep -q serve /proc/1/cmdline || exit 0 # only a server has /ping
    exec python -c 'import os, urllib.request as r
r.urlopen("http://127.0.0.1:" + (os.environ.get("SAGEMAKER_BIND_TO_PORT") or "8080") + "/ping", timeout=2)' ;;
  *)
    command -v "$command" >/dev/null || {
      echo "error: $command: expected train, serve, score or another command of recommender: see --help" >&2
      exit 127
    }
    exec "$command" "$@" ;;
esac
