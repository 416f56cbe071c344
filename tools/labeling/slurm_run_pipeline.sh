#!/usr/bin/env bash
# From boxes to masks, a trained model and a report through slurm. Every stage
# that labels, trains or tests is an srun of its own with GPUS tasks: it waits
# for its resources and holds them for that stage only. The program that
# starts them needs no GPU and runs where this script runs: a login node, or
# `sbatch -n 1` around it.
#
#   [GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS=..] \
#     bash tools/labeling/slurm_run_pipeline.sh PARTITION JOB_NAME CONFIG \
#     [arguments of run_pipeline.py]
set -euo pipefail
if [ $# -lt 3 ]; then
  echo "usage: $0 PARTITION JOB_NAME CONFIG [arguments of run_pipeline.py]" >&2
  exit 2
fi
partition=$1 job=$2 config=$3; shift 3
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
per_node=${GPUS_PER_NODE:-8}
srun="-p $partition --job-name=$job --gres=gpu:$per_node"
srun+=" --ntasks-per-node=$per_node --cpus-per-task=${CPUS_PER_TASK:-5}"

exec "${PYTHON:-python}" "$tools/run_pipeline.py" "$config" \
  --launcher slurm --num-processes "${GPUS:-8}" \
  --srun-args="$srun ${SRUN_ARGS:-}" "$@"
