#!/bin/sh
# What a step of Slurm's does on a node: step.sh run|signal|kill CONTROL MARKER [SIGNAL]
#
# run: becomes a clean place for the task's supervisor, runs it, in a container where the task has one, and ends what
# outlived it. signal: signals the supervisor that another step runs; kill: everything of the task. MARKER is what
# stands in SCENARIO_TASK of all of the task's processes. Needs a POSIX sh, GNU grep and /proc.

what=$1 control=$2 marker=$3 number=$4
launch=${control%/*}/.${control##*/}.launch

mine() { # pids of the task's processes
    grep -lzxF -- "SCENARIO_TASK=$marker" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
}

end_all() { # but not this process
    for _ in 1 2 3 4 5; do
        left=
        for pid in $(mine); do
            [ "$pid" = "$$" ] || [ ! -d "/proc/$pid" ] || { kill -s KILL "$pid" 2>/dev/null && left=yes; }
        done
        [ -n "$left" ] || return 0
    done
}

supervisor() { # the oldest process of supervisor.sh: its own forks look like it
    for pid in $(mine); do
        [ "$(tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | sed -n 2p)" = "$control/supervisor.sh" ] || continue
        printf '%s %s\n' "$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d' ' -f20)" "$pid"
    done | sort -n -k1,1 -k2,2 | sed -n '1s/.* //p'
}

# A job must not take itself for one of Slurm's: mpirun would ask Slurm for nodes.
for name in $(env | sed -n 's/^\(SLURM[A-Za-z0-9_]*\|SRUN_[A-Za-z0-9_]*\|PMI[A-Za-z0-9_]*\)=.*/\1/p'); do
    unset "$name"
done
# shellcheck source=/dev/null
if [ -e "$launch" ]; then . "$launch"; fi

case $what in
    signal)
        if [ -n "$container" ]; then
            "$launcher" kill --signal "$number" "$container" >/dev/null 2>&1
            exit 0
        fi
        found=$(supervisor)
        [ -z "$found" ] || kill -s "$number" "$found" 2>/dev/null
        exit 0
        ;;
    kill)
        [ -z "$container" ] || "$launcher" rm -f "$container" >/dev/null 2>&1
        end_all && exit 0
        ;;
esac

export SCENARIO_TASK="$marker"
# Slurm's own signals reach every process of the step: this one outlives them, to see to the rest.
trap : TERM INT
if [ -n "$container" ]; then
    # shellcheck source=/dev/null
    . "${0%/*}/.slurm-container.sh"
    run_in_container
    end_all
    exit 0
fi
# shellcheck source=/dev/null
. "$control/node"
printf 'begun\n' >"$control/step"
/bin/sh "$control/supervisor.sh" "$control" </dev/null
code=$?
end_all
exit "$code"
