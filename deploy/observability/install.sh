#!/bin/sh
# Gets Prometheus and promtool for the tests, where they are not installed.
exec "$(dirname "$0")/../unpacked-package.sh" prometheus promtool "the tests of deploy/observability"
