# Runs scenarios and checks what ktstr-run and ktstr-analyze say of them, one after the other, to the end. To be sourced,
# behind common.sh.
# shellcheck shell=bash
results=$(mktemp -d)
failed=0
complain() {
  failed=1
  echo "  FAILED $1: $2"
}
# wants NAME ARCHIVE SQL ANSWER: a number or word that a question must give.
wants() {
  local given
  given=$("$build/bin/ktstr-analyze" "$2" sql "$3" | tail -n 1 | tr -d ' ')
  [ "$given" = "$4" ] || complain "$1" "$3: $given, not $4 ($2)"
}
# run NAME STATUS: of ktstr-run, with what it said in NAME.said.
run() {
  local status=0
  "$build/bin/ktstr-run" "$results/$1.toml" --out "$results" >"$results/$1.said" 2>&1 || status=$?
  [ "$status" = "$2" ] || {
    complain "$1" "exit code $status, not $2"
    cat "$results/$1.said"
  }
}
# says NAME TEXT: that is in its verdict.
says() {
  grep -qF "$2" "$results/$1.said" || {
    complain "$1" "its verdict does not say '$2'"
    cat "$results/$1.said"
  }
}
# finish WHAT: the end of a script.
finish() {
  if [ "$failed" = 0 ]; then
    rm -rf "$results"
    step "all is as it should be: $1"
  else
    step "some checks failed; their archives are in $results"
  fi
  exit "$failed"
}
