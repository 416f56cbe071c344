#!/usr/bin/env bash
# Build a virtual environment with everything the project needs.
#
#   bash tools/misc/setup_env.sh STACK VENV [PYTHON]
#
# STACK is `modern` (maintained onedl-* distributions) or `official`
# (OpenMMLab's own releases). A second call returns at once while the
# requirements and setup.py are unchanged.
set -euo pipefail
stack=${1:?modern or official}
venv=${2:?path of the environment}
python=${3:-python3}
cd "$(dirname "$0")/../.."

case $stack in
  modern)
    constraints=requirements/constraints.txt
    torch=(torch torchvision) mmcv=onedl-mmcv
    mm=(onedl-mmengine onedl-mmdetection) ;;
  official)
    constraints=requirements/constraints-official.txt
    # mmcv 2.1 and mmengine 0.10.7 were built against numpy 1.
    torch=(torch torchvision 'numpy<2') mmcv=mmcv
    mm=(mmengine mmdet) ;;
  *) echo "unknown stack '$stack': use modern or official" >&2; exit 2 ;;
esac

stamp=$venv/.pmvis-stamp
want=$(cat requirements/*.txt setup.py tools/misc/setup_env.sh \
       <(echo "$stack" && "$python" --version) | sha256sum | cut -d' ' -f1)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then
  echo "$venv is up to date"; exit 0
fi

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
py=$venv/bin/python
pip() { "$py" -m pip --disable-pip-version-check install -q -c "$constraints" "$@"; }
has_ops() { "$py" -c 'import mmcv.ops' >/dev/null 2>&1; }
build_mmcv() {
  # -g0: debug symbols triple the time and the size of the build.
  CFLAGS=-g0 MAX_JOBS=${MAX_JOBS:-2} MMCV_WITH_OPS=1 \
    pip --no-build-isolation "$@" "$mmcv"
}

echo "== $venv ($stack): torch"
pip -r requirements/build.txt "${torch[@]}"
if ! has_ops; then
  echo "== $venv ($stack): $mmcv (compiles its ops, 5-10 minutes)"
  build_mmcv
  # pip's wheel cache may hold a build against another torch.
  has_ops || build_mmcv --no-cache-dir --force-reinstall --no-deps
  "$py" -c 'import mmcv.ops'
fi
echo "== $venv ($stack): the rest"
tests=requirements/tests.txt
if [ "$stack" = official ]; then
  # Official mim; the modern one would bring onedl-mmengine along.
  tests=$venv/tests.txt
  sed "s/^onedl-mim$/openmim/" requirements/tests.txt >"$tests"
fi
pip "${mm[@]}" "$mmcv" "${torch[@]}" -r requirements/runtime.txt -r "$tests"
# It asks for newer numpy than other packages allow, without need.
pip --no-deps trackeval
# Newer pandas than mim pins; together pip would choose a datumaro of 2023.
pip -r requirements/formats.txt 2> >(grep -v 'onedl-mim .* pandas' >&2)
pip --no-build-isolation --no-deps -e .
"$py" -c 'import mmcv.ops, mmdet, pmvis_mm'
echo "$want" >"$stamp"
