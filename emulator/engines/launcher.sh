#!/bin/sh
# Stands in for ssh between the nodes of a job: launcher.sh [ssh's options] HOST [COMMAND...]
#
# Runs COMMAND on the node HOST (its address or name) through that node's door.sh, with this one's standard
# streams, and ends with its exit code; 255 if HOST is no node of the job, as ssh does. Needs POSIX sh, mkdir,
# mkfifo, cat and rm.

folder=${0%/bin/*}
while [ "$#" -gt 0 ]; do
    case $1 in
        -V) echo 'the stand-in for ssh between the nodes of a job' >&2 && exit 0 ;;
        -n) exec </dev/null ;;
        -[bcDEeFIiJLlmOopQRSWw]) shift ;;
        -*) ;;
        *) break ;;
    esac
    shift
done
host=${1##*@}
if [ "$#" = 0 ] || [ ! -p "$folder/hosts/$host" ]; then
    echo "ssh: $host is no node of this job" >&2
    exit 255
fi
shift
command="$*"

number=0
until mkdir "$folder/requests/$$.$number" 2>/dev/null; do
    number=$((number + 1))
    [ "$number" -lt 10000 ] || { echo "ssh: no request can be made in $folder/requests" >&2 && exit 255; }
done
request=$folder/requests/$$.$number
printf '%s\n' "${command:-exec /bin/sh}" >"$request/command" &&
    mkfifo "$request/in" "$request/out" "$request/err" "$request/code" || exit 255
exec 3<&0
cat <&3 >"$request/in" 2>/dev/null &
feeder=$!
cat "$request/out" 3<&- &
out=$!
cat "$request/err" >&2 3<&- &
err=$!
printf '%s\n' "$$.$number" >"$folder/hosts/$host"
code=$(cat "$request/code")
wait "$out" "$err"
kill "$feeder" 2>/dev/null
rm -rf "$request"
exit "${code:-255}"
