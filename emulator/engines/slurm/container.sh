#!/bin/sh
# How a step runs its task in a container of its node; step.sh reads this where the task has one.
#
# What it is told stands beside CONTROL, in .ID.launch (launchers.py): launcher, container, named, pull, gpus, home,
# and the functions wanted, run_container and give_back. Credentials for the image are in .ID.login. What it tells
# stands there too: .ID.told (lines for the job's log), .ID.failed (why nothing runs), .ID.pulling (as long as an image
# is fetched), .ID.output (what the container's first process said), .ID.settled (nothing of the container is left).
# Needs what step.sh needs, and the launcher's program.
#
# The container is held by the pipe .ID.hold, which is the step's: when the step has ended, however that came about,
# the container's supervisor reads its end, ends the job, gives its files back and ends; the engine removes it.

beside=${control%/*}/.${control##*/}

tell() { printf '%s\n' "$*" >>"$beside.told"; }

fail() { # why
    rm -rf "$beside.login"
    printf '%s\n' "$*" >"$beside.failed"
    exit 125
}

has() { "$launcher" image inspect --format '{{.Id}}' "$1" 2>/dev/null; }

fetch() { # image
    if [ "$1" != "$named" ] || [ ! -d "$beside.login" ]; then
        "$launcher" pull --quiet "$1"
        return
    fi
    DOCKER_CONFIG=$beside.login REGISTRY_AUTH_FILE=$beside.login/config.json "$launcher" pull --quiet "$1"
}

get() { # image -> $id, or a reason in $tried
    if [ "$pull" != missing ]; then
        tried="$tried$1: it is not there, and pulling is switched off; "
        return 1
    fi
    tell "image: pulling $1"
    : >"$beside.pulling"
    said=$(fetch "$1" 2>&1 >/dev/null)
    rm -f "$beside.pulling"
    if id=$(has "$1"); then
        tell "image: $1 was pulled"
        return 0
    fi
    tried="$tried$1: $(printf '%s' "${said:-it was pulled, but is not there}" | tr '\n' ' '); "
    return 1
}

candidates() { # what may stand for the named image: its kind and its name; for patterns, what the node has
    wanted | while read -r kind name; do
        if [ "$kind" != local ]; then
            printf '%s %s\n' "$kind" "$name"
            continue
        fi
        "$launcher" images --format '{{.Repository}}:{{.Tag}}' | sort -r | while read -r tag; do
            plain=${tag#localhost/} plain=${plain#docker.io/} plain=${plain#library/}
            # shellcheck disable=SC2254 - it is a pattern
            case $plain in $name) printf 'image %s\n' "$tag" ;; esac
        done
    done
}

find_image() { # -> $image, $id
    tried= image=$named
    if id=$(has "$image") || get "$image"; then return; fi
    others=$(candidates)
    for turn in there anywhere; do
        while read -r kind image; do
            [ -n "$image" ] || continue
            if [ "$turn" = there ]; then
                id=$(has "$image") || continue
            elif [ "$kind" = build ]; then
                tried="$tried$image: it is not there, and nodes build none; "
                continue
            else
                get "$image" || continue
            fi
            tell "image: $named is not available; running $image"
            return
        done <<END
$others
END
    done
    fail "no image: ${tried%; }"
}

look() { # -> $options: what this node's launcher needs, and the GPUs that Slurm gave
    options=
    command -v "$launcher" >/dev/null || fail "there is no program $launcher on PATH"
    case $launcher in
        docker) said=$("$launcher" info --format '{{.SecurityOptions}}' 2>&1) || fail "$said" ;;
        *) said=$("$launcher" info --format 'name=selinux' 2>&1) || fail "$said" ;;
    esac
    case $said in *name=selinux*) options="--security-opt label=disable" ;; esac
    case $said in *name=userns*) options="$options --userns host" ;; esac
    if [ -z "$gpus" ]; then
        options="$options --env NVIDIA_VISIBLE_DEVICES=void"
    elif [ "$launcher" = docker ]; then
        options="$options --gpus \"device=$CUDA_VISIBLE_DEVICES\""
    else
        for each in $(printf '%s' "$CUDA_VISIBLE_DEVICES" | tr ',' ' '); do
            options="$options --device nvidia.com/gpu=$each"
        done
    fi
}

remove_left() { # containers of this home's tasks that are forgotten
    left=$("$launcher" ps -aq --filter "label=scenario.home=$home" --filter label=scenario.control)
    [ -n "$left" ] || return 0
    # shellcheck disable=SC2086 - several ids
    "$launcher" inspect --format '{{.Id}} {{index .Config.Labels "scenario.control"}}' $left 2>/dev/null |
        while read -r each folder; do
            [ -d "$folder" ] || "$launcher" rm -f "$each" >/dev/null 2>&1
        done
}

begin() { # option for an init process -> $child; fails if the container does not come up
    rm -f "$beside.hold"
    mkfifo "$beside.hold" || fail "a pipe cannot be made beside $control"
    exec 9<>"$beside.hold"
    (
        exec <"$beside.hold" >"$beside.output" 2>&1 9>&-
        # shellcheck disable=SC2086 - several options
        run_container "$id" $1 $options
    ) &
    child=$!
    until [ -e "$control/begun" ]; do
        kill -0 "$child" 2>/dev/null || [ -e "$control/begun" ] || return 1
        sleep 0.02
    done
    rm -f "$beside.hold" # both ends are open
}

is_recorded() { grep -qF "$(cat "$beside.seal") end" "$control/status" 2>/dev/null; }

settle() { # sees to what a supervisor that recorded no end has left
    exec 9>&-
    if is_recorded; then return; fi
    # Its engine may not be told yet that the step let go of it.
    timeout 60 "$launcher" wait "$container" >/dev/null 2>&1
    "$launcher" rm -f "$container" >/dev/null 2>&1
    # shellcheck disable=SC2086 - several options
    is_recorded || give_back "$id" $options >/dev/null 2>&1
}

run_in_container() {
    look
    remove_left
    find_image
    rm -rf "$beside.login"
    if ! begin --init; then
        case $(cat "$beside.output") in
            *docker-init* | *catatonit*)
                tell "engine: the node has no init process; a shell is the container's first"
                "$launcher" rm -f "$container" >/dev/null 2>&1
                begin "" || { settle; fail "$(cat "$beside.output")"; }
                ;;
            *) settle; fail "$(cat "$beside.output")" ;;
        esac
    fi
    printf 'begun\n' >"$control/step"
    while kill -0 "$child" 2>/dev/null; do wait "$child"; done
    settle
    : >"$beside.settled"
}
