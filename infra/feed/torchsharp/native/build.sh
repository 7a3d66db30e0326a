#!/usr/bin/env bash
# Builds .streamrec/native/libstreamrec_torch.so; does nothing when sources, compiler flags and libtorch are unchanged.
#   TORCH_INCLUDE, TORCH_LIB   folders of another libtorch (a PyTorch wheel's torch/include and torch/lib, CUDA ones too)
#   TORCH_CXX11_ABI            1 (default) or 0, as that libtorch was built
#   STREAMREC_NATIVE_OUT       another output folder
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${STREAMREC_NATIVE_OUT:-$(cd "$here/../../../.." && pwd)/.streamrec/native}
include=${TORCH_INCLUDE:-/usr/include}
lib=${TORCH_LIB:-}
abi=${TORCH_CXX11_ABI:-1}
cxx=${CXX:-g++}

version_header=$include/torch/csrc/api/include/torch/version.h
if [ ! -f "$version_header" ]; then
  echo "libtorch's headers are not in $include: install libtorch-dev, or set TORCH_INCLUDE and TORCH_LIB to a PyTorch's torch/include and torch/lib" >&2
  exit 1
fi
command -v "$cxx" >/dev/null || { echo "no C++ compiler '$cxx': install g++ or set CXX" >&2; exit 1; }

std=c++17
if grep -qE '#define TORCH_VERSION_MAJOR ([3-9]|[1-9][0-9])' "$version_header" \
  || { grep -q '#define TORCH_VERSION_MAJOR 2' "$version_header" && grep -qE '#define TORCH_VERSION_MINOR (1[0-9]|[2-9][0-9])' "$version_header"; }; then
  std=c++20
fi
flags=(-O2 "-std=$std" -fPIC -fvisibility=hidden -Wall -Wno-unused-but-set-variable -D_GLIBCXX_USE_CXX11_ABI="$abi"
  -isystem "$include/torch/csrc/api/include")
# Naming /usr/include itself would put it before the compiler's own headers.
if [ "$include" != /usr/include ]; then flags+=(-isystem "$include"); fi
link=(-Wl,--no-as-needed -ltorch -ltorch_cpu -lc10)
if [ -n "$lib" ]; then
  link=(-L"$lib" "-Wl,-rpath,$lib" "${link[@]}")
  if [ -f "$lib/libtorch_cuda.so" ]; then link+=(-ltorch_cuda -lc10_cuda); fi
fi

hash=$( { cat "$here"/*.cpp "$here"/*.h "$here/build.sh" "$version_header"; echo "$include $lib $abi"; "$cxx" --version; } | sha256sum | cut -d' ' -f1)
mkdir -p "$out"
exec 9>"$out/.torch.lock"
flock 9
if [ -f "$out/libstreamrec_torch.so" ] && [ "$(cat "$out/libstreamrec_torch.hash" 2>/dev/null)" = "$hash" ]; then
  echo "libstreamrec_torch.so is up to date"
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# ATen's headers take ten seconds to read: once, not once per file.
cp "$here/srt.h" "$work/srt.h"
"$cxx" "${flags[@]}" -x c++-header "$work/srt.h" -o "$work/srt.h.gch"
compile() { "$cxx" "${flags[@]}" -include "$work/srt.h" -c "$1" -o "$work/$(basename "$1").o"; }
failed=0
for source in "$here"/*.cpp; do
  if [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; then wait -n || failed=1; fi
  compile "$source" &
done
while [ -n "$(jobs -p)" ]; do wait -n || failed=1; done
[ "$failed" = 0 ] || { echo "compiling the libtorch shim failed" >&2; exit 1; }
"$cxx" -shared -o "$work/libstreamrec_torch.so" "$work"/*.o "${link[@]}"
strip --strip-unneeded "$work/libstreamrec_torch.so"
mv "$work/libstreamrec_torch.so" "$out/libstreamrec_torch.so"
echo "$hash" > "$out/libstreamrec_torch.hash"
echo "built $out/libstreamrec_torch.so"
