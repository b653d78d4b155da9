#!/bin/sh
# Brings the database up to date and then becomes the application, so that every signal and every code is the application's.
# Until then a signal ends drizzle-pilot, drizzle-kit and its statement, and this script with 128 and the signal's number.
#
#   ENTRYPOINT ["drizzle-pilot-entrypoint"]
#   CMD ["node", "dist/server.js"]
#
# Without an application it ends with drizzle-pilot's code, as a job of its own does.
#
#   DRIZZLE_PILOT_STEP        migrate (default), push, or none
#   DRIZZLE_PILOT_ARGS        more arguments for it, as in "--profile production"; separated by blanks
#   DRIZZLE_PILOT_WAIT        seconds to wait for the database (default 60)
#   DRIZZLE_PILOT_READY_FILE  written when the database is up to date, for a health check (default /tmp/drizzle-pilot.ready)
set -euf

step=${DRIZZLE_PILOT_STEP:-migrate}
wait=${DRIZZLE_PILOT_WAIT:-60}
ready=${DRIZZLE_PILOT_READY_FILE:-/tmp/drizzle-pilot.ready}

case $step in
    migrate | push | none) ;;
    *)
        echo "entrypoint: DRIZZLE_PILOT_STEP is migrate, push or none, and not $step" >&2
        echo "Nothing was executed." >&2
        exit 64
        ;;
esac
case $wait in
    '' | *[!0-9]*)
        echo "entrypoint: DRIZZLE_PILOT_WAIT is a number of seconds, and not $wait" >&2
        echo "Nothing was executed." >&2
        exit 64
        ;;
esac

# A shell that is process 1 gets no signal that it has no trap for.
child=
stopped=
pass_on() {
    stopped=$1
    [ -z "$child" ] || kill -s "$2" "$child" 2>/dev/null || true
}
trap 'pass_on 129 HUP' HUP
trap 'pass_on 130 INT' INT
trap 'pass_on 143 TERM' TERM

# Runs a command in the background, because a shell that waits for one in the foreground runs no trap. Sets `code`.
run() {
    code=0
    [ -z "$stopped" ] || exit "$stopped"
    "$@" &
    child=$!
    # One that came before there was a child.
    [ -z "$stopped" ] || kill -s TERM "$child" 2>/dev/null || true
    wait "$child" || code=$?
    # A trap ends the wait, and not the child.
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
        # 69: no database yet, and nothing was executed.
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
