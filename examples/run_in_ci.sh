#!/usr/bin/env bash
# A task in CI: the answer in a file, and a decision for each way it can end.
#
#   examples/run_in_ci.sh 'Review the last commit'
#
# UNDAUNTED_FLAGS adds flags, such as --rehearsal to see it work without an agent or a key.
set -uo pipefail

read -ra flags <<<"${UNDAUNTED_FLAGS:---permissions read --deadline 20m}"
answer=${ANSWER:-answer.md}

undaunted run "${flags[@]}" --output "$answer" -- "$1"
status=$?

case $status in
  0) echo "answered: see $answer" ;;
  75) echo "no agent has quota left; the job may be queued again" ;;
  69 | 2) echo "somebody has to look at this runner: no agent is usable, or a flag is wrong" ;;
  65) echo "the task itself has to be changed" ;;
  1 | 124) echo "the agents tried and failed: undaunted show last" ;;
  *) echo "ended with status $status" ;;
esac
exit "$status"
