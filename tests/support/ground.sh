# Shared by ./quickstart, ./check and .ci/run: build dependencies and the build itself. Sourced, not run.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD="$ROOT/build/release"

BUILD_PACKAGES="g++ cmake ninja-build pkg-config git ca-certificates ccache mold
 libcurl4-openssl-dev libarchive-dev libgit2-dev libyaml-cpp-dev libsqlite3-dev libcli11-dev libgtest-dev libboost-dev
 libsimdjson-dev libtomlplusplus-dev libspdlog-dev libfmt-dev libssl-dev libzstd-dev libdeflate-dev libisal-dev zlib1g-dev"
RUN_PACKAGES="nginx-light python3 python3-pip python3-venv bubblewrap"
TEST_PACKAGES="skopeo mercurial"
CI_PACKAGES="clang-format clang-tidy"

step() { printf '\n== %s\n' "$*"; }
fail() { printf 'error: %s\n' "$1" >&2; [ -z "${2:-}" ] || printf 'hint: %s\n' "$2" >&2; exit 1; }
now_ms() { date +%s%3N; }
took() { awk -v ms=$(( $(now_ms) - $1 )) 'BEGIN { if (ms < 1000) printf "%d ms", ms; else printf "%.1f s", ms / 1000 }'; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else fail "packages are missing and this is neither root nor is there sudo" "run as root: apt-get install $*"; fi
}

# install_packages NAME…: asks apt only for what dpkg does not know as installed.
install_packages() {
  command -v apt-get >/dev/null || fail "this script installs with apt-get, which is not here" "Debian 12 is what it is made for; else install the libraries of CMakeLists.txt yourself"
  local missing="" name
  for name in "$@"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing="$missing $name"
  done
  [ -n "$missing" ] || { echo "packages: all there"; return; }
  echo "packages: installing$missing"
  local log; log=$(mktemp)
  # nginx shall not be started as a service of the machine: only ours are run.
  local policy=/usr/sbin/policy-rc.d made=""
  if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null && as_root chmod 755 $policy && made=1; fi
  local code=0
  { as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1 || code=$?
  [ -z "$made" ] || as_root rm -f $policy
  [ $code -eq 0 ] || { tail -20 "$log" >&2; rm -f "$log"; fail "apt-get could not install the packages"; }
  rm -f "$log"
}

# build [TARGET…]: the release preset; prints a line, the compiler's output only when it fails.
build() {
  local started log; started=$(now_ms); log=$(mktemp)
  if ! { cmake -S "$ROOT" --preset release && cmake --build "$BUILD" --target "$@"; } >"$log" 2>&1; then
    tail -40 "$log" >&2; rm -f "$log"; fail "the build failed"
  fi
  rm -f "$log"
  echo "built in $(took "$started"): $BUILD/bin"
}
