#!/bin/sh
# The first process of a task: supervisor.sh CONTROL-FOLDER
#
# Runs job preparation, then the job's command; each stream goes straight into its file. Its last act is
# to write CONTROL/status, in one piece: "<phase> <exit code> <ok|stopped|failed> <seal> end". "stopped" means
# that somebody asked for the end, "failed" that the step could not be run at all, for the reason in CONTROL/log;
# the seal is what nobody but the supervisor knows. When it began and ended is the time at which
# CONTROL/begun and CONTROL/status were written. Needs POSIX sh (dash, bash, busybox) and mkdir. On a small
# job every program that is started here shows: it starts few.
#
# TERM and INT are passed on to the job; USR1 kills it. CONTROL/plan sets: scope (alone: nothing but the
# task lives in this PID namespace; held: the same, and the task is killed when standard input ends; session),
# working_directory, preparation*, main*, and the functions check_mounts, make_directories and last_of_all; for a job
# of several nodes also door (the folder that they share), address (this node's) and others (how many the master waits
# for; empty on the others, which serve it until they are stopped).

control=$1
child= stopping= phase=start
last_of_all() { :; } # until the plan says more
exec 2>>"$control/log" || exit 125

# Whatever happens from here on, there is one end.
finish() { # exit code, ok|stopped|failed
    trap '' TERM INT USR1
    end_everything
    if [ -n "$door" ] && [ -d "$door/keys" ]; then rm -rf "$door/keys"; fi
    last_of_all
    # One write over room that was taken at the beginning, so it succeeds on a disk that is full by now.
    end="$phase $1 $2 $seal end"
    printf '%s\n' "$end" 1<>"$control/status" || printf '%s\n' "$end" >"$control/status"
    exit "$1"
}

signal_job() { # signal
    if [ "$scope" = alone ]; then
        kill -s "$1" -- -1 2>/dev/null
    elif [ -n "$child" ]; then
        kill -s "$1" -- "-$child" 2>/dev/null || kill -s "$1" "$child" 2>/dev/null
    fi
}

# Nothing that the task started outlives it, so nothing writes files after they were given back.
end_everything() {
    if [ "$scope" = alone ]; then
        kill -s KILL -- -1
    else
        for group in $groups; do kill -s KILL -- "-$group"; done
    fi 2>/dev/null
}

stop() { # signal
    stopping=$1 interrupted=yes
    signal_job "$1"
}

await() { # process -> $code, also if signals come meanwhile
    code=
    while :; do
        interrupted=
        wait "$1"
        last=$?
        # A shell that has forgotten the process already says 127; what it said before stands.
        if [ "$last" != 127 ] || [ -z "$code" ]; then code=$last; fi
        [ -n "$interrupted" ] || return 0
    done
}

# A session of its own protects the supervisor from a job that signals its process group; INT and QUIT,
# which a shell ignores for what it starts in the background, are put back where env can do that.
find_launcher() {
    find_program setsid
    launcher=$program
    if [ -n "$with_signals" ]; then
        find_program env
        launcher="$launcher $program --default-signal=INT,QUIT"
    fi
    # Commands run under a bash that reads ~/.bashrc, which preparation, or an earlier job of the node, may have
    # written. If that ends the shell, the command did not run: it has not ended with 0.
    profile='if [ -r ~/.bashrc ]; then
trap '\''r=$?; echo "~/.bashrc ended the shell: the command did not run" >&2; exit $((r ? r : 126))'\'' EXIT
. ~/.bashrc
case $(trap -p EXIT) in *"ended the shell"*) trap - EXIT ;; esac
fi
'
    find_program bash
    shell=$program
    [ -n "$shell" ] || shell=/bin/sh profile=
}

find_program() { # name -> $program, empty if there is none; asks the shell only where it must, for that forks
    program=/usr/bin/$1
    [ -x "$program" ] || program=$(command -v "$1") || program=
}

step() { # command, file for stdout, file for stderr -> $code
    printf '%s\n' "$phase" >"$control/phase"
    if ! { true >>"$2" && true >>"$3"; }; then finish 1 failed; fi
    find_launcher
    code=143
    [ -z "$stopping" ] || return 0
    (
        exec </dev/null >>"$2" 3>>"$3"
        cd "$working_directory" || cd /
        # shellcheck disable=SC2086 - the launcher is several words
        set -- $launcher "$shell" -c "$profile$1"
        eval "$environment"
        [ -z "$door" ] || export PATH="$door/bin:$PATH"
        exec 2>&3 3>&- 4>&-
        exec "$@"
    ) &
    child=$!
    groups="$groups $child"
    [ -z "$stopping" ] || signal_job "$stopping"
    await "$child"
}

# Lets the other nodes in, says that this one is prepared, and on the master waits until all are.
join() {
    find_launcher
    (
        exec </dev/null
        cd "$working_directory" || cd /
        # shellcheck disable=SC2086 - the launcher is several words
        set -- $launcher /bin/sh "$door/door.sh" "$door" "$address" $launcher
        eval "$environment"
        export PATH="$door/bin:$PATH"
        exec "$@"
    ) &
    child=$!
    groups="$groups $child"
    # In a container, which is the job's alone, sshd may serve too, if the image has it.
    if [ "$control" = /mnt/batch/tasks/control ]; then /bin/sh "$door/sshd.sh" "$door" </dev/null; fi
    if [ ! -p "$door/ready" ]; then finish 1 failed; fi
    exec 4<>"$door/ready"
    if [ -z "$others" ]; then
        true >"$door/prepared/$address"
        printf '\n' >&4
    fi
    # The files count, the pipe only wakes: what is in it goes with a node that ends before the master has come.
    while [ "${others:-0}" -gt 0 ] && [ -z "$stopping" ]; do
        set -- "$door"/prepared/*
        if [ -e "$1" ] && [ "$#" -ge "$others" ]; then break; fi
        read -r _ <&4
    done
    [ -z "$stopping" ] || code=143
}

# A node that is not the master is there for it until it is told to stop; to end before that is a failure.
serve() {
    printf '%s\n' "$phase" >"$control/phase"
    await "$child"
    [ -z "$stopping" ] || code=0
}

trap 'stop TERM' TERM
trap 'stop INT' INT
trap 'stop KILL' USR1
scope=session groups= environment= seal= door= address= others=
# shellcheck source=/dev/null
[ -r "$control/environment" ] && . "$control/environment" && : >"$control/environment" && . "$control/plan" ||
    finish 125 failed
true >"$control/begun"
printf '%80s\n' '' >"$control/status"
if [ "$scope" = held ]; then
    scope=alone
    exec 6<&0 </dev/null
    (
        trap '' TERM INT
        while read -r _; do :; done
        kill -s USR1 "$$"
    ) <&6 6<&- &
    exec 6<&-
fi
if [ "$scope" = alone ] && [ "$$" != 1 ] && [ "$PPID" != 1 ]; then scope=session; fi

check_mounts || finish 1 failed
# What makes the directories shows at the same time whether env can put signals back.
with_signals="env --default-signal=INT,QUIT"
make_directories 2>/dev/null || { with_signals= && make_directories; } || finish 1 failed
code=0
if [ -n "$preparation" ]; then
    phase=preparation
    step "$preparation" "$preparation_stdout" "$preparation_stderr"
    if [ "$code" = 0 ] && [ -n "$stopping" ]; then code=143; fi
fi
if [ "$code" = 0 ] && [ -n "$door" ] && [ -z "$stopping" ]; then join; fi
if [ "$code" = 0 ] && [ -n "$main$door" ] && [ -z "$stopping" ]; then
    phase=main
    if [ -n "$main" ]; then step "$main" "$main_stdout" "$main_stderr"; else serve; fi
fi
if [ "$phase" = start ] && [ -n "$stopping" ]; then code=143; fi
word=${stopping:+stopped}
finish "$code" "${word:-ok}"
