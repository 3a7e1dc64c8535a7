#!/bin/bash
# Packs what a GPU machine without network or Debian packages needs to run tools/gpu-check.sh, and to train with
# sagcl-train --config tools/presets/NAME.toml:
#
#   tools/gpu-bundle.sh BUILD_FOLDER FILE.tar.gz
#
# In the archive, folder sagcl-gpu: bin/ (programs, plugin), bin/lib/ (shared libraries of this system that clusters often
# lack; glibc, the C++ run time and everything of NVIDIA stay out), tools/, data/hippocampus.
# There: tools/gpu-check.sh -b bin -o results
set -eu
[ $# -eq 2 ] || { sed -n 2,9p "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
top=$folder/sagcl-gpu
mkdir -p "$top/bin/lib" "$top/tools" "$top/data"
cp "$here"/gpu-*.sh "$here"/gpu-*.py "$top/tools/"
cp -r "$here/presets" "$top/tools/"
cp -r "$here/../data/hippocampus" "$top/data/"
for program in libsagcl_cuda.so libsagcl_range_log.so sagcl-gpu-check sagcl-gpu-properties sagcl-train sagcl-eval sagcl-predict sagcl-report sagcl-bench; do
  if [ -e "$build/bin/$program" ]; then cp "$build/bin/$program" "$top/bin/" && strip --strip-unneeded "$top/bin/$program"; fi
done
for required in libsagcl_cuda.so sagcl-gpu-check; do
  [ -e "$top/bin/$required" ] || { echo "gpu-bundle: $build/bin/$required is missing; build sagcl_cuda and sagcl-gpu-check first" >&2; exit 1; }
done
ldd "$top"/bin/sagcl-* | awk '$3 ~ /^\// {print $3}' | sort -u | while read -r library; do
  case $(basename "$library") in
    libc.so*|libm.so*|libdl.so*|librt.so*|libpthread.so*|libstdc++.so*|libgcc_s.so*|libcud*|libcublas*|libcusolver*|libnv*) ;;
    *) cp -L "$library" "$top/bin/lib/" ;;
  esac
done
tar -C "$folder" -czf "$2" sagcl-gpu
echo "$2: $(du -h "$2" | cut -f1), libraries: $(ls "$top/bin/lib" | tr '\n' ' ')"
