#!/bin/sh
# Gives a task its own view of /mnt, then becomes its supervisor: namespace.sh CONTROL-FOLDER
# Runs as the first process of its own mount and PID namespaces: this machine's /mnt is never touched.
# CONTROL/mounts sets up binds, with the functions bind (folders) and replace (files): source, target. It may set user and group: in a user
# namespace they become the ones of before, so that nothing in the job believes that it is root.

set -e
control=$1
user= group=
exec 2>>"$control/log"

bind() {
    [ -d "$2" ] || mkdir -p "$2"
    mount --bind "$1" "$2"
}

replace() {
    [ ! -f "$2" ] || mount --bind "$1" "$2"
}

# The old /mnt stays visible below the current folder, from where its entries are put back.
cd /mnt
mount -t tmpfs -o mode=755 scenario /mnt
for entry in * .[!.]*; do
    if [ "$entry" = batch ]; then
        continue
    elif [ -L "./$entry" ]; then
        cp -P "./$entry" "/mnt/$entry"
    elif [ -d "./$entry" ]; then
        mkdir "/mnt/$entry"
        mount --no-canonicalize --rbind "./$entry" "/mnt/$entry"
    elif [ -e "./$entry" ]; then
        true >"/mnt/$entry"
        mount --no-canonicalize --bind "./$entry" "/mnt/$entry"
    fi
done
cd /
# shellcheck source=/dev/null
. "$control/mounts"
set -- /bin/sh "$control/supervisor.sh" "$control"
if [ -n "$user" ]; then set -- unshare --user --map-user="$user" --map-group="$group" "$@"; fi
exec "$@"
