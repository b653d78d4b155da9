#!/bin/sh
# Migrates the database and then executes the application, which receives every signal and determines the exit code.
# Until then a signal ends drizzle-pilot, drizzle-kit and its statement, and this script with 128 plus the signal's number.
#
#   ENTRYPOINT ["drizzle-pilot-entrypoint"]
#   CMD ["node", "dist/server.js"]
#
# Without an application it ends with drizzle-pilot's exit code, for use as a separate job.
#
#   DRIZZLE_PILOT_STEP        migrate (default), push, or none
#   DRIZZLE_PILOT_ARGS        more arguments for the step, such as "--profile production"; separated by blanks
#   DRIZZLE_PILOT_WAIT        seconds to wait for the database (default 60)
#   DRIZZLE_PILOT_READY_FILE  written when the step has succeeded, for a health check (default /tmp/drizzle-pilot.ready)
set -euf

step=${DRIZZLE_PILOT_STEP:-migrate}
wait=${DRIZZLE_PILOT_WAIT:-60}
ready=${DRIZZLE_PILOT_READY_FILE:-/tmp/drizzle-pilot.ready}

case $step in
    migrate | push | none) ;;
    *)
        echo "entrypoint: DRIZZLE_PILOT_STEP must be migrate, push or none, not $step" >&2
        echo "Nothing was executed." >&2
        exit 64
        ;;
esac
case $wait in
    '' | *[!0-9]*)
        echo "entrypoint: DRIZZLE_PILOT_WAIT must be a number of seconds, not $wait" >&2
        echo "Nothing was executed." >&2
        exit 64
        ;;
esac

# A shell that is process 1 receives only signals that it has a trap for.
child=
stopped=
pass_on() {
    stopped=$1
    [ -z "$child" ] || kill -s "$2" "$child" 2>/dev/null || true
}
trap 'pass_on 129 HUP' HUP
trap 'pass_on 130 INT' INT
trap 'pass_on 143 TERM' TERM

# Runs a command in the background, because a shell runs no trap while it waits for a foreground command. Sets `code`.
run() {
    code=0
    [ -z "$stopped" ] || exit "$stopped"
    "$@" &
    child=$!
    # Handles a signal that came before the child existed.
    [ -z "$stopped" ] || kill -s TERM "$child" 2>/dev/null || true
    wait "$child" || code=$?
    # A trap ends the wait, but not the child.
    while kill -0 "$child" 2>/dev/null; do
        code=0
        wait "$child" || code=$?
    done
    child=
}

rm -f "$ready"
# shellcheck disable=SC2086 # the arguments are separated by blanks
case $step in
    migrate)
        run drizzle-pilot migrate --wait-for-db "${wait}s" --ready-file "$ready" ${DRIZZLE_PILOT_ARGS:-}
        ;;
    push)
        # 69: the database is not available yet, and nothing was executed.
        end=$(($(date +%s) + wait))
        run drizzle-pilot push ${DRIZZLE_PILOT_ARGS:-}
        while [ "$code" = 69 ] && [ "$(date +%s)" -lt "$end" ]; do
            run sleep 1
            run drizzle-pilot push ${DRIZZLE_PILOT_ARGS:-}
        done
        [ "$code" != 0 ] || : >"$ready"
        ;;
    none)
        code=0
        : >"$ready"
        ;;
esac
[ "$code" = 0 ] || exit "$code"
[ -z "$stopped" ] || exit "$stopped"
[ $# -gt 0 ] || exit 0
exec "$@"
