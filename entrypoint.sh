#!/bin/sh
# The image's commands: train, serve, score, healthy; anything else is run as it is (a shell, say).
# exec makes the program process 1, so that it receives SageMaker's SIGTERM.
command=${1:-train}
[ $# -gt 0 ] && shift
case $command in
  train | serve) exec python "/opt/program/$command.py" "$@" ;;
  score) exec python -m recommender score "$@" ;;
  healthy)
    grep -q serve /proc/1/cmdline || exit 0 # only a server has /ping
    exec python -c 'import os, urllib.request as r
r.urlopen("http://127.0.0.1:" + (os.environ.get("SAGEMAKER_BIND_TO_PORT") or "8080") + "/ping", timeout=2)' ;;
  *) exec "$command" "$@" ;;
esac
