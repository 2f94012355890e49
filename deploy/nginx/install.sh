#!/bin/sh
# Gets nginx for the tests, where it is not installed.
exec "$(dirname "$0")/../unpacked-package.sh" nginx nginx "the tests of deploy/nginx"
