#!/usr/bin/env bash
# Train on several GPUs (or, without GPUs, processes) of one or more machines.
#
#   [PORT=..] [NNODES=.. NODE_RANK=.. MASTER_ADDR=..] \
#     bash tools/dist_train.sh CONFIG GPUS [arguments of train.py]
set -euo pipefail
if [ $# -lt 2 ]; then
  echo "usage: $0 CONFIG GPUS [arguments of train.py]" >&2; exit 2
fi
config=$1 gpus=$2; shift 2
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

exec "${PYTHON:-python}" -m torch.distributed.run \
  --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
  --nproc_per_node="$gpus" \
  "$tools/train.py" "$config" --launcher pytorch "$@"
