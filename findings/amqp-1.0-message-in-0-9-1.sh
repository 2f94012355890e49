#!/usr/bin/env bash
# What an AMQP 1.0 client sends by its defaults is for AMQP 0-9-1 five bytes longer, of the type "amqp-1.0", and on
# RabbitMQ 3.10 lost by a restart.
#
# Seen with RabbitMQ 3.10.8 (Debian's package, with its plugin for AMQP 1.0), rhea 3.0.5, amqplib 2.3.1 (npm); by hand with
# RabbitMQ 4.0.5 and 4.3.6, too, whose queues have the address /queues/NAME.
#
# - `sender.send({body: 'hello'})` makes a *value* section. RabbitMQ hands a reader of 0-9-1 the section as it is coded,
#   descriptor and length before the text, and sets `type` to "amqp-1.0", whatever the content type says. Only a
#   *data* section arrives as the bytes that it holds: rhea.message.data_section(Buffer.from('hello')).
# - A message of 1.0 is not durable unless it says so. On 3.10.8 it has delivery mode 1, which a classic queue forgets
#   when the broker restarts, on 4.0.5 mode 2, on 4.3.6 none.
# - Application properties are headers from 4.0 on; on 3.10.8 all of them are one header of coded bytes,
#   x-amqp-1.0-app-properties, and a data section has the `type` "binary". So the same client is read by its headers
#   after an upgrade and was not before.
#
# It starts a node of its own from Debian's package `rabbitmq-server` of bookworm, on loopback, and stops it.
#
# Output when written:
#   3.10.8: value section: 10 bytes of type "amqp-1.0"; data section: 5 bytes of type "binary", delivery mode 1, headers x-amqp-1.0-app-properties x-amqp-1.0-properties
#
# Documented: RabbitMQ's page "Conversions" (value sections, since 4.0). Known: rabbitmq/rabbitmq-amqp-dotnet-client#115,
# rabbitmq/rabbitmq-server#6937. Of the delivery modes nothing was found.

set -euo pipefail

work=$(mktemp -d)
pids=()
stop() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap stop EXIT

npm install --silent --no-audit --no-fund --prefix "$work" rhea@3.0.5 amqplib@2.3.1 >/dev/null

read -r amqp distribution names < <(python3 - <<'PYTHON'
import socket

taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(one.getsockname()[1] for one in taken))
PYTHON
)
printf 'listeners.tcp.1 = 127.0.0.1:%s\nlog.console = false\n' "$amqp" >"$work/rabbitmq.conf"
echo '[rabbitmq_amqp1_0].' >"$work/plugins"
node_environment=(
    HOME="$work" PATH="$PATH" LANG=C.UTF-8 ERL_EPMD_PORT="$names" ERL_EPMD_ADDRESS=127.0.0.1
    RABBITMQ_NODENAME="finding-$amqp@localhost" RABBITMQ_DIST_PORT="$distribution"
    RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_CONFIG_FILE="$work/rabbitmq"
    RABBITMQ_ADVANCED_CONFIG_FILE="$work/advanced" RABBITMQ_GENERATED_CONFIG_DIR="$work/config"
    RABBITMQ_MNESIA_BASE="$work/mnesia" RABBITMQ_LOG_BASE="$work/log" RABBITMQ_PID_FILE="$work/pid"
    RABBITMQ_ENABLED_PLUGINS_FILE="$work/plugins" RABBITMQ_FEATURE_FLAGS_FILE="$work/flags"
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"
)
env -i "${node_environment[@]}" epmd -port "$names" -address 127.0.0.1 &
pids+=($!)
env -i "${node_environment[@]}" /usr/lib/rabbitmq/bin/rabbitmq-server >"$work/out" 2>&1 &
pids=($! "${pids[@]}")
for _ in $(seq 120); do
    (exec 3<>"/dev/tcp/127.0.0.1/$amqp") 2>/dev/null && break
    sleep 0.5
done

cat >"$work/cross.cjs" <<'JAVASCRIPT'
const assert = require('node:assert');
const amqplib = require('amqplib');
const rhea = require('rhea');

const [port] = process.argv.slice(2);
const held = (message) => `${message.content.length} bytes of type "${message.properties.type}"`;

async function main() {
  const connection = await amqplib.connect(`amqp://guest:guest@127.0.0.1:${port}`);
  const { version } = connection.connection.serverProperties;
  const channel = await connection.createChannel();
  await channel.assertQueue('notes', { durable: true });
  const arrived = new Promise((resolve) => {
    const messages = [];
    channel.consume('notes', (message) => messages.push(message) === 2 && resolve(messages), { noAck: true });
  });

  const other = rhea.create_container().connect({ host: '127.0.0.1', port, username: 'guest', password: 'guest' });
  const sender = other.open_sender({ target: '/amq/queue/notes' });
  await new Promise((resolve) => sender.once('sendable', resolve));
  sender.send({ body: 'hello' });
  sender.send({ body: rhea.message.data_section(Buffer.from('hello')), application_properties: { attempt: 1 } });
  const [value, data] = await arrived;
  other.close();
  await connection.close();

  assert.strictEqual(value.content.toString('latin1'), '\0Sw\xa1\x05hello');
  assert.strictEqual(data.content.toString(), 'hello');
  console.log(
    `${version}: value section: ${held(value)}; data section: ${held(data)}, ` +
      `delivery mode ${data.properties.deliveryMode}, headers ${Object.keys(data.properties.headers).sort().join(' ')}`,
  );
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
JAVASCRIPT
seen=$(timeout 30 node "$work/cross.cjs" "$amqp")
echo "$seen"
test "$seen" = '3.10.8: value section: 10 bytes of type "amqp-1.0"; data section: 5 bytes of type "binary", delivery mode 1, headers x-amqp-1.0-app-properties x-amqp-1.0-properties'
