#!/usr/bin/env bash
# The only step of action.yml: runs drizzle-pilot with reports, sets the outputs, and ends with its exit code. drizzle-pilot itself
# writes the summary and the annotations of the pull request.
#
#   COMMAND ARGUMENTS CHANGES     the inputs
#   GITHUB_OUTPUT RUNNER_TEMP     set by GitHub
set -euo pipefail

# Uses the program of the project or of the workspace above it, or else one that an earlier step added to the PATH.
pilot=drizzle-pilot
folder=$PWD
while [ "$folder" != / ]; do
    if [ -x "$folder/node_modules/.bin/drizzle-pilot" ]; then
        pilot=$folder/node_modules/.bin/drizzle-pilot
        break
    fi
    folder=$(dirname "$folder")
done

case $COMMAND in
    plan | check | push | migrate | status) ;;
    *)
        echo "::error title=drizzle-pilot::the command is plan, check, push, migrate or status"
        exit 64
        ;;
esac
case ${CHANGES:=$([ "$COMMAND" = check ] && echo fail || echo ok)} in
    ok | fail) ;;
    *)
        echo "::error title=drizzle-pilot::changes is ok or fail"
        exit 64
        ;;
esac

reports=$(mktemp -d "$RUNNER_TEMP/drizzle-pilot.XXXXXX")
# xargs reads quotes as a shell does, but runs nothing in them. If it fails, nothing is run: a plan without its --profile would
# be a different plan.
if ! xargs -r -n 1 printf '%s\0' <<<"$ARGUMENTS" >"$reports/words" 2>"$reports/why"; then
    echo "::error title=drizzle-pilot::the arguments cannot be told apart: $(head -n 1 "$reports/why" | tr -d '\r')"
    exit 64
fi
mapfile -d '' -t words <"$reports/words"
rm "$reports/words" "$reports/why"
code=0
"$pilot" "$COMMAND" --report "$reports/report.json" --report-html "$reports/report.html" --record "$reports/run.cast" \
    "${words[@]}" || code=$?

# Without a report, the command line could not be parsed.
outcome=usage database=unchanged
if [ -s "$reports/report.json" ]; then
    read -r outcome database < <(node -p 'const r = require(process.argv[1]); `${r.outcome} ${r.database}`' "$reports/report.json") ||
        outcome=unproven database=maybe
fi
{
    echo "code=$code"
    echo "outcome=$outcome"
    echo "database=$database"
    echo "reports=$reports"
} >>"$GITHUB_OUTPUT"

if [ "$code" = 2 ] && [ "$CHANGES" = ok ]; then exit 0; fi
exit "$code"
