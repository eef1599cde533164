#!/bin/sh
# The network of a cluster of the process engine: network.sh WHAT [ARGUMENTS...]
#
# Runs inside the namespaces concerned; this machine's own network is never touched.
#   hub ADDRESS/BITS           makes the cluster's bridge, says "ready" and stays: its end is the network's
#   uplink                     puts the outside world (slirp4netns' tap0) on the bridge
#   plug NUMBER PID            joins the namespace of process PID to the bridge
#   node ADDRESS/BITS GATEWAY  sets up a node's end of that

set -e
export PATH="$PATH:/usr/sbin:/sbin"
what=$1
shift
case $what in
    hub)
        ip link set lo up
        ip link add scenario type bridge
        ip link set scenario up
        echo ready
        exec >&- 2>&- sleep 2147483647
        ;;
    uplink)
        ip addr flush dev tap0
        ip link set tap0 master scenario up
        ;;
    plug)
        # The kernel may take its time to remove what joined a node before that was killed.
        ip link del "node$1" 2>/dev/null || :
        ip link add "node$1" type veth peer name eth0 netns "$2"
        ip link set "node$1" master scenario up
        ;;
    stay)
        echo ready
        exec >&- 2>&- sleep 2147483647
        ;;
    node)
        ip link set lo up
        ip addr add "$1" dev eth0
        ip link set eth0 up
        ip route add default via "$2"
        ;;
esac
