# The builds with sanitizers, each in a directory of its own beside the usual one. To be sourced, after common.sh.
# shellcheck shell=bash

# configure_sanitized LIST: the build with these sanitizers, "address,undefined" or "thread"; `build` is its directory
# from then on.
configure_sanitized() {
  # Guests are slow enough without.
  local options=(-DKTSTR_SANITIZE="$1" -DKTSTR_TESTS=ON -DKTSTR_GUEST_TESTS=OFF -DKTSTR_BENCHMARKS=OFF
    -DKTSTR_SCHEDULERS=OFF -DCMAKE_CXX_COMPILER=clang++)
  case "$1" in
    # With the fuzzers: the rooms are compiled once for both.
    address,undefined)
      build="$build-fuzz"
      options+=(-DKTSTR_FUZZERS=ON -DCMAKE_CXX_FLAGS_RELEASE="-O1 -gline-tables-only")
      ;;
    # Optimizing takes the compiler a third longer, and tests that compute a fifth of the time that they take without.
    thread)
      build="$build-thread"
      options+=(-DCMAKE_CXX_FLAGS_RELEASE="-O1 -gline-tables-only")
      ;;
    *)
      echo "${0##*/}: no such sanitizers: $1; there are address,undefined and thread" >&2
      exit 2
      ;;
  esac
  configure "${options[@]}"
}
