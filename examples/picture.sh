#!/bin/sh
# Draws the README's picture: a network, four containers wired in four ways, a published port. Run it as root:
#     unshare --net --mount --pid --fork --uts --mount-proc sh examples/picture.sh docs/picture.svg
# (everything it makes lives in these namespaces, and goes with them)
set -e
svg=${1:?where to write the picture}
hostname host
mount -t tmpfs tmpfs /run

netlinkpy network create docker0 --subnet 172.17.0.0/16 --gateway 172.17.42.1 >/dev/null
netlinkpy netns add blue
netlinkpy network connect docker0 blue --ip 172.17.42.97 >/dev/null         # a named namespace
unshare --net sleep 60 & sleep 0.5
netlinkpy attach $! --bridge docker0 --ip 172.17.42.99/16 >/dev/null        # a process, by its id
netlinkpy run -d --name web --net docker0 --ip 172.17.42.80 -p 8080:80 -- sleep 60 >/dev/null
netlinkpy run -d --name db --net docker0 --ip 172.17.42.54 -- sleep 60 >/dev/null
netlinkpy show
netlinkpy show --svg "$svg"
netlinkpy stop web db >/dev/null
