#!/usr/bin/env bash
# Test (or label) on several GPUs (or processes) of one or more machines.
#
#   [PORT=..] [NNODES=.. NODE_RANK=.. MASTER_ADDR=..] \
#     bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of test.py]
#
# CHECKPOINT is `none` for labelling configs.
set -euo pipefail
if [ $# -lt 3 ]; then
  echo "usage: $0 CONFIG CHECKPOINT|none GPUS [arguments of test.py]" >&2
  exit 2
fi
config=$1 checkpoint=$2 gpus=$3; shift 3
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

exec "${PYTHON:-python}" -m torch.distributed.run \
  --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
  --nproc_per_node="$gpus" \
  "$tools/test.py" "$config" "$checkpoint" --launcher pytorch "$@"
