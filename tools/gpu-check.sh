#!/bin/bash
# Checks the CUDA backend on a machine with a GPU and measures it; needs no network.
#
#   tools/gpu-check.sh [-b FOLDER_OF_PROGRAMS] [-o RESULTS] [STAGE...]
#
# FOLDER_OF_PROGRAMS holds sagcl-gpu-check (default: build/bin, or bin/ of an unpacked bundle, which `cpack` makes).
# Stages, all by default, the first ten minutes first: machine memcheck replay bandwidth fp32 step112 races | parity repeat conv
# steps overlap precision ranges bench peers peers-compiled kernels.
# Each writes RESULTS/STAGE.log; rows also go to RESULTS/results.jsonl. A stage that passed is not run again: remove its
# .done file to repeat it. Exit code: the number of stages that failed.
set -u
here=$(cd "$(dirname "$0")" && pwd)
bin=$here/../build/bin
[ -d "$bin" ] || bin=$here/../bin
out=gpu-results
while getopts b:o: option; do
  case $option in b) bin=$OPTARG ;; o) out=$OPTARG ;; *) exit 2 ;; esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] && stages=("$@") || stages=(machine memcheck replay bandwidth fp32 step112 races parity repeat conv
  steps overlap precision ranges bench peers peers-compiled kernels)
mkdir -p "$out"
out=$(cd "$out" && pwd)
bin=$(cd "$bin" && pwd) || exit 2

# CUDA and cuDNN: those that Python's packages bring come first, as they are often newer than the system's.
libraries=
for root in $(python3 -c 'import nvidia; print(*nvidia.__path__)' 2>/dev/null); do
  for folder in "$root"/cudnn/lib "$root"/cu13/lib "$root"/cublas/lib "$root"/cusolver/lib; do
    [ -d "$folder" ] && libraries=$libraries$folder:
  done
done
export LD_LIBRARY_PATH=$libraries/usr/local/cuda/lib64${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export SAGCL_PLANS=${SAGCL_PLANS:-$out/plans.txt}
export PYTHONUNBUFFERED=1
check() { timeout "$1" "$bin/sagcl-gpu-check" --json "$out/results.jsonl" "${@:2}"; }

machine() {
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
  "$bin/sagcl-gpu-properties" >"$out/device-properties.json" && cat "$out/device-properties.json"
  ldd "$(find "$bin" "$bin/../lib" -name libsagcl_cuda.so 2>/dev/null | head -n 1)" | grep -E 'cudnn|cublas|cusolver|not found'
  lscpu | grep -E 'Model name|^CPU\(s\)'
}
parity() { check 500 parity; }
repeat() { check 200 repeat; }
conv() { check 500 conv weight; }
steps() { check 300 steps; }
overlap() { check 100 overlap; }
# Steps as one CUDA graph: equal bits in single steps and in a whole training, and the times of both.
replay() {
  local on run train=("$bin/sagcl-train" --preset hippocampus --data "$here/../data/hippocampus" --device cuda --labelled 4
    --set data.test=2 --no-report)
  check 200 replay || return 1
  for on in false true; do
    run=$out/replay-$on
    rm -rf "$run" "$run-bad"
    timeout 120 "${train[@]}" --out "$run" --set train.steps=100 --set train.replay=$on || return 1
    grep '"seconds"' "$run/status.json"
    # Losses are read every ten steps: one that is not finite has changed nothing, however late it is seen.
    timeout 60 "${train[@]}" --out "$run-bad" --set train.steps=30 --set train.replay=$on --set train.learning_rate=1e36
    [ $? = 76 ] || { echo "a loss that is not finite was not noticed"; return 1; }
  done
  # Their headers differ by the setting: what lies behind, the tensors, must not.
  tensors() { tail -c +$((9 + $(od -An -t u8 -N 8 "$1"))) "$1"; }
  cmp <(tensors "$out"/replay-false/checkpoints/step-0000100.safetensors) <(tensors "$out"/replay-true/checkpoints/step-0000100.safetensors)
}
sanitized() {  # sanitized TOOL LOG SECONDS COMMAND…: what sagcl-gpu-check does, under compute-sanitizer
  command -v compute-sanitizer >/dev/null || { echo "compute-sanitizer is not installed"; return 1; }
  local log=$out/$2.log status
  SAGCL_PLANS=off timeout "$3" compute-sanitizer --tool "$1" --error-exitcode 9 "$bin/sagcl-gpu-check" "${@:4}" >"$log" 2>&1
  status=$?
  echo "$2: $(tail -1 "$log")"
  [ $status = 77 ] && exit 77  # no GPU: the stage is skipped
  return $status
}
# Every operation that runs kernels of ours, and our weight gradient alone.
memcheck() {
  local failed=0
  sanitized memcheck memcheck-repeat 280 repeat --small || failed=1
  sanitized memcheck memcheck-weight 120 weight || failed=1
  return $failed
}
# Kernels that use shared memory; racecheck itself fails on some of cuDNN's.
races() {
  local family failed=0
  sanitized racecheck racecheck-weight 120 weight || failed=1
  for family in norm sum cross dice nuclear resize choices; do
    sanitized racecheck "racecheck-$family" 120 repeat --small --only $family || failed=1
  done
  return $failed
}
# Every precision through sagcl-train and sagcl-predict: asked for, used and recorded.
precision() {
  local p run
  for p in fp32 tf32 bf16; do
    run=$out/precision-$p
    rm -rf "$run"
    timeout 150 "$bin/sagcl-train" --preset hippocampus --data "$here/../data/hippocampus" --out "$run" \
      --device cuda --precision $p --method supervised --labelled 4 --set train.steps=20 --set data.test=2 --no-report || return 1
    grep '"precision"' "$run/env.json" | grep "\"$p\"" || { echo "$run/env.json does not say $p"; return 1; }
    tail -1 "$run/metrics.jsonl"
    timeout 60 "$bin/sagcl-predict" --checkpoint "$run/checkpoints/step-0000020.safetensors" --output "$run/masks" \
      --input "$here/../data/hippocampus/imagesTr" --device cuda --precision $p >/dev/null || return 1
  done
  cmp -s "$out"/precision-{fp32,bf16}/checkpoints/step-0000020.safetensors && { echo "fp32 and bf16 trained the same bits"; return 1; }
  return 0
}
# Two steps of sagcl-train as a profiler sees them: phases, modules and operations as nested NVTX ranges.
ranges() {
  local range
  rm -rf "$out/ranges" "$out/ranges.txt"
  NVTX_INJECTION64_PATH=$bin/libsagcl_range_log.so SAGCL_RANGE_LOG=$out/ranges.txt timeout 150 "$bin/sagcl-train" \
    --preset hippocampus --data "$here/../data/hippocampus" --out "$out/ranges" --device cuda \
    --method supervised --labelled 4 --set train.steps=2 --set data.test=1 --no-report || return 1
  for range in '(step(batch)(forward(' '(conv)' '(backward(' '(optimiser)'; do
    grep -qF "$range" "$out/ranges.txt" || { echo "$out/ranges.txt: no range $range"; return 1; }
  done
  echo "$(grep -oF '(step' "$out/ranges.txt" | wc -l) steps, $(tr -cd '(' <"$out/ranges.txt" | wc -c) ranges"
}
bandwidth() { check 200 bandwidth; }
# What was slow: convolutions in fp32 with the fallbacks' engines; the largest step in every precision, recorded and not.
fp32() { check 300 conv --precision fp32; }
step112() { check 300 bench --only vnet112; }
bench() { check 500 bench; }
peers() { timeout 300 python3 "$here/gpu/peers.py" --steps 20 --json "$out/peers.json"; }
peers_compiled() { timeout 580 python3 "$here/gpu/peers.py" --steps 20 --compile --json "$out/peers-compiled.json"; }
# Where the time of a V-Net and a U-Net step goes, kernel by kernel.
kernels() {
  command -v ncu >/dev/null || { echo "ncu is not installed"; return 1; }
  local net
  for net in vnet112 unet256; do
    check 200 bench --only $net --precision tf32 --steps 1 || return 1  # so that the plans are known and ncu sees training alone
    timeout 250 ncu --clock-control none --metrics gpu__time_duration.sum --csv --launch-skip 4000 --launch-count 2500 \
      "$bin/sagcl-gpu-check" bench --only $net --precision tf32 --steps 4 >"$out/kernels-$net.csv" 2>&1
    python3 "$here/gpu/kernel-times.py" "$out/kernels-$net.csv" 40
  done
}

failed=0
for stage in "${stages[@]}"; do
  if [ -e "$out/$stage.done" ]; then
    echo "== $stage: done before"
    continue
  fi
  echo "== $stage"
  begin=$(date +%s)
  "${stage//-/_}" 2>&1 | tee "$out/$stage.log"
  status=${PIPESTATUS[0]}
  if [ "$status" -eq 77 ]; then
    echo "== $stage skipped: there is no GPU to use"
  elif [ "$status" -eq 0 ]; then
    touch "$out/$stage.done"
    echo "== $stage passed in $(($(date +%s) - begin)) s"
  else
    failed=$((failed + 1))
    echo "== $stage FAILED after $(($(date +%s) - begin)) s"
  fi
done
exit $failed
