#!/usr/bin/env bash
# From boxes to masks, a trained model and a report on several GPUs (or,
# without GPUs, processes) of this machine. Every stage that labels, trains or
# tests is a torchrun of its own with so many processes; videos are shared
# out among them. For several machines, use slurm_run_pipeline.sh.
#
#   bash tools/labeling/dist_run_pipeline.sh CONFIG GPUS \
#     [arguments of run_pipeline.py]
set -euo pipefail
if [ $# -lt 2 ]; then
  echo "usage: $0 CONFIG GPUS [arguments of run_pipeline.py]" >&2; exit 2
fi
config=$1 gpus=$2; shift 2
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

exec "${PYTHON:-python}" "$tools/run_pipeline.py" "$config" \
  --launcher pytorch --num-processes "$gpus" "$@"
