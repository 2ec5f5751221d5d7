#!/bin/sh
# The hand wiring of Docker's network document, line for line; `ip` and `brctl` are netlinkpy under those names.
# It runs in namespaces of its own, as root or not: the machine's network is never touched.
set -eu

# -- the stage: namespaces, the two names on PATH, and the bridge that the Docker daemon would have made ------------
PATH=$PATH:$(cd "$(dirname "$0")/.." && pwd)/.venv/bin
if [ "${1-}" != staged ]; then
    if [ "$(id -u)" = 0 ]; then root=; else root=--map-root-user; fi
    exec unshare $root --net --mount --propagation private "$0" staged
fi
netlinkpy=$(command -v netlinkpy) || { echo "$0: netlinkpy is not on PATH: run make demo first" >&2; exit 1; }
mount -t tmpfs tmpfs /run
mkdir /run/bin
ln -s "$netlinkpy" /run/bin/ip
ln -s "$netlinkpy" /run/bin/brctl
PATH=/run/bin:$PATH
sudo() { "$@"; } # we are root here, in our own namespace at least
brctl addbr docker0
ip addr add 172.17.42.1/16 dev docker0
ip link set docker0 up
set -v

# $ docker run -i -t --rm --net=none base /bin/bash
unshare --net sleep 60 &
until [ "$(readlink /proc/$!/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done

# $ docker inspect -f '{{.State.Pid}}' 63f36fc01b5f
pid=$!
trap 'kill $pid 2>/dev/null' EXIT
sudo mkdir -p /var/run/netns
sudo ln -s /proc/$pid/ns/net /var/run/netns/$pid

# The bridge is there:
ip addr show docker0

# A pair of peer interfaces A and B; A is bound to the bridge and up:
sudo ip link add A type veth peer name B
sudo brctl addif docker0 A
sudo ip link set A up

# B goes into the container's network namespace and becomes eth0:
sudo ip link set B netns $pid
sudo ip netns exec $pid ip link set dev B name eth0
sudo ip netns exec $pid ip link set eth0 address 12:34:56:78:9a:bc
sudo ip netns exec $pid ip link set eth0 up
sudo ip netns exec $pid ip addr add 172.17.42.99/16 dev eth0
sudo ip netns exec $pid ip route add default via 172.17.42.1

# From here on the container can use the network as usual. (A look at an interface by its name makes the kernel
# finish its carrier change at once, however busy it is.)
ip netns exec $pid ip link show eth0
ip link show A
ip netns exec $pid ip a
ip netns exec $pid ip route
ip netns exec $pid ping -c 2 172.17.42.1
ping -c 2 172.17.42.99

# The older programs inside a container see the same:
if command -v ifconfig >/dev/null; then ip netns exec $pid ifconfig eth0; fi
if command -v route >/dev/null; then ip netns exec $pid route -n; fi

# When the container ends, its eth0 goes, and A with it, from docker0 too:
kill $pid
trap - EXIT
tries=0
while ip link show A 2>/dev/null; do tries=$((tries + 1)); [ $tries -lt 100 ]; sleep 0.1; done
brctl show

# Clean up dangling symlinks in /var/run/netns
find -L /var/run/netns -type l -delete
[ -z "$(ls /var/run/netns)" ]
