#!/usr/bin/env bash
# Two links of one name, one in each direction, are one link too few to rhea: the first is never opened.
#
# Seen with rhea 3.0.5 (npm), Node.js 20.
#
# A link of AMQP 1.0 has a name that is its own in one direction between two containers: a sender and a receiver of one
# session may share theirs. RabbitMQ 4 asks for that where a client declares queues: its management node takes a pair of
# links of one name, and nothing else. rhea keeps the links of a session by name alone, so that the receiver takes the
# sender's place before that was sent: no error and no event of it. RabbitMQ ends the session at the first request:
# "received transfer on half open management link pair".
#
# What helps: open the second when `sender_open` has told of the first. From then on frames are sorted by handle.
#
# Output when written:
#   a sender and a receiver: 2 attach frames with two names, 1 with one
#
# Documented: AMQP 1.0, part 2, section 2.6.1 ("the link name ... uniquely identifies the link from the container of the
# source to the container of the target"); RabbitMQ's pair: https://www.rabbitmq.com/docs/amqp#management. An issue
# about it was not found.

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

npm install --silent --no-audit --no-fund --prefix "$work" rhea@3.0.5 >/dev/null

cat >"$work/pair.js" <<'JAVASCRIPT'
const net = require('node:net');
const rhea = require('rhea');

const heard = (emitter, event) => new Promise((done) => emitter.once(event, done));
const ATTACH = Buffer.from([0x00, 0x53, 0x12]); // how the body of such a frame begins

// Opens a sender and a receiver; which of them the server has answered, and how many attach frames the client sent.
async function opened(port, sender, receiver) {
  let sent = Buffer.alloc(0);
  const between = net.createServer((client) => {
    const server = net.connect(port, '127.0.0.1');
    client.on('data', (data) => { sent = Buffer.concat([sent, data]); server.write(data); });
    server.pipe(client);
    client.on('close', () => server.destroy());
  });
  await new Promise((done) => between.listen(0, '127.0.0.1', done));
  const connection = rhea.create_container().connect(
    { host: '127.0.0.1', port: between.address().port, reconnect: false });
  connection.open_sender({ name: sender, target: { address: 'a' } });
  connection.open_receiver({ name: receiver, source: { address: 'a' } });
  await heard(connection, 'receiver_open');
  connection.close(); // what is under way is sent and answered first
  await heard(connection, 'connection_close');
  between.close();
  let frames = 0;
  for (let at = -1; (at = sent.indexOf(ATTACH, at + 1)) >= 0; ) frames += 1;
  return frames;
}

const listener = rhea.create_container().listen({ host: '127.0.0.1', port: 0 });
listener.on('listening', async () => {
  const { port } = listener.address();
  const two = await opened(port, 'there', 'back');
  const one = await opened(port, 'both', 'both');
  console.log(`a sender and a receiver: ${two} attach frames with two names, ${one} with one`);
  process.exit(two === 2 && one === 1 ? 0 : 1);
});
JAVASCRIPT

cd "$work"
timeout 30 node pair.js
