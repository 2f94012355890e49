#!/bin/sh
# Runs apt-get with these arguments, unattended, and one at a time: `make -j` starts several of the scripts
# that install something at once. apt-get waits for dpkg's locks, but not for that of its package lists.
set -eu

export DEBIAN_FRONTEND=noninteractive
# --close: what a package starts must not keep the lock.
exec flock --close /var/lib/apt/lists apt-get -qq -o DPkg::Lock::Timeout=300 "$@"
