#!/bin/sh
# Holds a node for a home until Slurm ends it, or until the home is gone for good: nobody would give it back then.
#
# A home is gone if its file system is the one on which it was last seen, and the folder that would have it can be
# listed and does not, as often in a row as $times says. So a file system that is away, comes anew or fails to
# answer is waited for, and so is one that this node never saw. Needs a POSIX sh, stat, ls and grep.

home=HOME_FOLDER every=20 times=3

file_system() { stat -L -c %d -- "$1" 2>/dev/null; }

is_gone() {
    below=$home
    until above=$(dirname -- "$below") && [ -d "$above" ]; do
        [ "$above" != / ] || return 1
        below=$above
    done
    [ -n "$seen" ] && [ "$(file_system "$above")" = "$seen" ] || return 1
    names=$(ls -a -- "$above" 2>/dev/null) || return 1
    ! printf '%s\n' "$names" | grep -qxF -- "$(basename -- "$below")"
}

seen= missed=0
while [ "$missed" -lt "$times" ]; do
    if [ -d "$home" ]; then
        seen=$(file_system "$home") missed=0
    elif is_gone; then
        missed=$((missed + 1))
    else
        missed=0
    fi
    sleep "$every"
done
