#!/usr/bin/env bash
# Test (or label) through slurm.
#
#   [GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS=..] \
#     bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [args]
#
# CHECKPOINT is `none` for labelling configs.
set -euo pipefail
if [ $# -lt 4 ]; then
  echo "usage: $0 PARTITION JOB_NAME CONFIG CHECKPOINT|none" \
    "[arguments of test.py]" >&2
  exit 2
fi
partition=$1 job=$2 config=$3 checkpoint=$4; shift 4
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
per_node=${GPUS_PER_NODE:-8}
read -r -a extra <<<"${SRUN_ARGS:-}"

exec srun -p "$partition" --job-name="$job" \
  --gres="gpu:$per_node" --ntasks="${GPUS:-8}" --ntasks-per-node="$per_node" \
  --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 \
  ${extra[@]+"${extra[@]}"} \
  "${PYTHON:-python}" -u "$tools/test.py" "$config" "$checkpoint" \
  --launcher slurm "$@"
