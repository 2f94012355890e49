#!/bin/sh
# Makes the secrets of the compose file, once: deploy/compose/secrets.sh. What is there already stays as it is.
#
# The folder is for you alone. The files in it may be read by whoever gets that far, which the user of a container has
# to be, to whom Compose gives them as they are.
set -eu

folder=$(cd "$(dirname "$0")" && pwd)/secrets
mkdir -p "$folder"
chmod 700 "$folder"

random() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

write() {
    [ -e "$folder/$1" ] && return
    cat >"$folder/$1.new"
    chmod 444 "$folder/$1.new"
    mv "$folder/$1.new" "$folder/$1"
}

broker=$(random) database=$(random)
# The broker's user is made with the first of these at its first start, and the others name it: all or none are new.
if ! [ -e "$folder/rabbitmq.conf" ]; then
    rm -f "$folder/amqp-url"
    printf 'default_user = coordinator\ndefault_pass = %s\n' "$broker" | write rabbitmq.conf
    printf 'amqp://coordinator:%s@rabbitmq:5672\n' "$broker" | write amqp-url
fi
if ! [ -e "$folder/postgres-password" ]; then
    rm -f "$folder/database-url"
    printf '%s\n' "$database" | write postgres-password
    printf 'postgresql://coordinator:%s@postgres:5432/coordinator\n' "$database" | write database-url
fi
echo "The secrets are in $folder."
