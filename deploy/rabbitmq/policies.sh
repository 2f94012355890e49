#!/bin/sh
# Sets the policies that Agent Coordinator recommends, for a broker whose rabbitmq.conf is not yours
# to change: on the management API of COORDINATOR_MANAGEMENT_URL (by default http://127.0.0.1:15672),
# as RABBITMQ_USER, with the password in RABBITMQ_PASSWORD or in the file RABBITMQ_PASSWORD_FILE, in VHOST (by
# default /). Setting them again changes nothing.
#
# What queues are (quorum, dead-lettering, delivery limits) is no policy: the service declares it.
# Nor is there a length limit for any of them. A full queue would refuse a message that its sister
# took, and a task would run that its producer was told to submit again.
set -eu

: "${RABBITMQ_USER:?}"
password=${RABBITMQ_PASSWORD:-$(cat -- "${RABBITMQ_PASSWORD_FILE:?}")}
url=${COORDINATOR_MANAGEMENT_URL:-http://127.0.0.1:15672}
vhost=$(printf %s "${VHOST:-/}" | sed 's|/|%2F|g')

# On the standard input of curl, since whoever lists processes sees their arguments.
where_and_who() {
    login=$(printf %s "$RABBITMQ_USER:$password" | sed 's/[\\"]/\\&/g')
    printf 'url = "%s"\nuser = "%s"\n' "$1" "$login"
}

# A task may be held by its agent for seven days. In milliseconds: eight. RabbitMQ 3.12 and later;
# on an older one only consumer_timeout in rabbitmq.conf can say it.
where_and_who "$url/api/policies/$vhost/agent-coordinator-tasks" |
    curl --config - --silent --show-error --fail \
    --header 'Content-Type: application/json' --request PUT \
    --data '{"pattern": "^tasks\\.", "apply-to": "queues", "priority": 10,
             "definition": {"consumer-timeout": 691200000}}'
echo "The policy agent-coordinator-tasks is set."
