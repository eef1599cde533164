#!/bin/sh
# The door of a node to its peers: door.sh FOLDER ADDRESS [WORD...]
#
# Runs the commands that launcher.sh, on any node of the job, leaves in FOLDER/requests. FOLDER is one folder
# that all nodes of the job see. WORD...: what a command is started with, so that it has a session of its own.
# Needs POSIX sh and what launcher.sh needs; no network, no keys.

folder=$1 address=$2
shift 2
exec 5<>"$folder/hosts/$address" || exit 125
shell=/bin/sh
for found in /bin/bash /usr/bin/bash; do [ ! -x "$found" ] || shell=$found; done

serve() { # request, words of the launcher...
    request=$folder/requests/$1
    shift
    command=
    while IFS= read -r line || [ -n "$line" ]; do
        command="$command$line
"
    done <"$request/command"
    "$@" "$shell" -c "$command" <"$request/in" >"$request/out" 2>"$request/err" 5<&- &
    wait "$!"
    printf '%s\n' "$?" >"$request/code"
}

while IFS= read -r name <&5; do
    case $name in */* | .* | '') continue ;; esac
    serve "$name" "$@" &
done
