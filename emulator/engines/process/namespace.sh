#!/bin/sh
# Gives a task its own view of this machine, then becomes its supervisor: namespace.sh CONTROL-FOLDER
# Runs as the first process of its own mount and PID namespaces: this machine's own mounts are never touched.
# CONTROL/layer may mount by commands of the user's own (mounted), and put a layer of the node's own over
# everything (layer, show and enter). CONTROL/unmounted is there if such a command failed: its name, what it said.
# CONTROL/mounts binds folders (bind) and files (replace): source, target. It may set user and group:
# in a user namespace they become the ones of before, so that nothing in the job believes that it is root.
#
# namespace.sh --layer FOLDER tries whether a layer can be had.

set -e
control=$1
user= group=

bind() {
    [ -d "$2" ] || mkdir -p "$2"
    mount --bind "$1" "$2"
}

replace() {
    [ ! -f "$2" ] || mount --bind "$1" "$2"
}

mounted() { # number, command line, name: where it is mounted now it is bound from
    limit=
    if command -v timeout >/dev/null; then limit="timeout -k 5 120"; fi
    mkdir -p "$control/mounted/$1"
    printf '%s\n' "$3" >"$control/unmounted"
    if PATH=$PATH:/usr/sbin:/sbin $limit /bin/sh -c "$2 \"\$0\"" "$control/mounted/$1" \
        </dev/null >>"$control/unmounted" 2>&1; then
        if mountpoint -q "$control/mounted/$1"; then rm "$control/unmounted"; return; fi
        echo "it ended well, but mounted nothing" >>"$control/unmounted"
    else
        echo "it ended with exit code $?" >>"$control/unmounted"
    fi
    exit 32
}

layer() { # the layer's folder; its names are relative, so that no letter in its path means anything to mount
    cd "$1"
    mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work node root
    cd root
    for entry in proc sys dev; do mount --rbind "/$entry" "$entry"; done
}

show() { # what is seen as it is, and not through the layer
    if [ -d "$1" ]; then mount --rbind "$1" ".$1"; elif [ -e "$1" ]; then mount --bind "$1" ".$1"; fi
}

enter() {
    pivot_root . .
    umount -l .
    cd /
}

if [ "$1" = --layer ]; then
    mkdir "$2/upper" "$2/work" "$2/root"
    layer "$2"
    enter
    exit 0
fi
exec 2>>"$control/log"
# shellcheck source=/dev/null
. "$control/layer"
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
