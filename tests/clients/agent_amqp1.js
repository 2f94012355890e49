// An agent over AMQP 1.0, for RabbitMQ 4: npm install rhea, then
// COORDINATOR_AMQP_URL=amqp://… node agent_amqp1.js
"use strict";
const crypto = require("node:crypto");
const rhea = require("rhea");

const AGENT = "amqp1-agent";
const INSTANCE = crypto.randomUUID();
const RANKS = ["urgent", "critical", "high", "normal", "low"];
const control = `agent.${AGENT}.control.${INSTANCE}`;
const url = new URL(process.env.COORDINATOR_AMQP_URL);
const user_id = Buffer.from(decodeURIComponent(url.username)); // the broker refuses any other
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const heard = (emitter, event) => new Promise((done) => emitter.once(event, done));
const queueAddress = (name) => `/queues/${encodeURIComponent(name)}`;
const json = (data) => rhea.message.data_section(Buffer.from(JSON.stringify(data)));

const queues = new Map(); // name: how urgent, 0 is most, and the link to it
let running = [];
let sequence = 0;
let registered;
const registration = new Promise((done) => (registered = done));

const connection = rhea.connect({
  host: url.hostname, port: url.port || 5672, reconnect: false,
  hostname: `vhost:${decodeURIComponent(url.pathname.slice(1)) || "/"}`,
  username: decodeURIComponent(url.username), password: decodeURIComponent(url.password),
});
for (const part of ["connection", "session", "sender", "receiver"])
  connection.on(`${part}_error`, (context) => { throw new Error(context[part].error.description); });
connection.on("disconnected", () => process.exit(1));

// One link takes messages to all addresses: each names its own. Resolves when the broker has accepted the
// message, which is its confirm.
const sender = connection.open_sender({ target: { address: null } });
const unconfirmed = new Map();
for (const outcome of ["accepted", "rejected", "released", "modified"])
  sender.on(outcome, ({ delivery }) => unconfirmed.get(delivery.id)(outcome));

async function send(message) {
  if (!sender.sendable()) await heard(sender, "sendable");
  const delivery = sender.send(message);
  const outcome = await new Promise((done) => unconfirmed.set(delivery.id, done));
  unconfirmed.delete(delivery.id);
  if (outcome !== "accepted") throw new Error(`${message.to}: ${outcome}`);
}

function tell(type, data, subject = AGENT, durable = true) {
  const [noun, what] = type.split(".");
  return send({
    to: `/exchanges/coordinator.events/${encodeURIComponent(`${noun}.${AGENT}.${what}`)}`,
    durable,
    user_id,
    content_type: "application/json",
    application_properties: {
      "cloudEvents:specversion": "1.0",
      "cloudEvents:id": crypto.randomUUID(),
      "cloudEvents:type": type,
      "cloudEvents:source": `/agents/${AGENT}`,
      "cloudEvents:subject": subject,
      "cloudEvents:time": rhea.types.wrap_timestamp(Date.now()),
    },
    body: json({ agent_id: AGENT, instance: INSTANCE, ...data }),
  });
}

function register() {
  return send({
    to: queueAddress("coordinator.requests"),
    user_id,
    content_type: "application/json",
    correlation_id: crypto.randomUUID(),
    reply_to: control,
    ttl: 5000,
    message_annotations: { "x-basic-type": "register" },
    body: json({ agent_id: AGENT, agent_type: "worker", instance: INSTANCE, slots: 1,
      task_types: ["reverse-amqp1"] }),
  });
}

// RabbitMQ declares and binds over a pair of links of one name. This client knows the links of a session by
// their names: the second one is opened when the first is there.
async function manage(requests) {
  const pair = { name: "management", properties: { paired: true }, snd_settle_mode: 1,
    source: { address: "/management" }, target: { address: "/management" } };
  const questions = connection.open_sender(pair);
  await heard(questions, "sender_open");
  const answers = connection.open_receiver(pair);
  await heard(answers, "receiver_open");
  for (const [subject, to, body] of requests) {
    if (!questions.sendable()) await heard(questions, "sendable");
    questions.send({ message_id: crypto.randomUUID(), subject, to, reply_to: "$me", body });
    const { message } = await heard(answers, "message");
    if (message.subject >= "300") throw new Error(`${subject} ${to}: ${message.body}`);
  }
}

function serve(queue, priority) {
  if (queues.has(queue)) return;
  const link = connection.open_receiver(
    { source: queueAddress(queue), credit_window: 0, autoaccept: false });
  queues.set(queue, { rank: RANKS.indexOf(priority), link });
}

function leave(queue) {
  queues.get(queue)?.link.close();
  queues.delete(queue);
}

// One message, or none where the queue is empty: the broker says so by using up the credit.
function get({ link }) {
  return new Promise((done) => {
    const events = ["message", "receiver_drained", "receiver_close"];
    const settle = (context) => {
      for (const event of events) link.removeListener(event, settle);
      done(context.message ? context : undefined);
    };
    for (const event of events) link.on(event, settle);
    link.add_credit(1);
    link.drain_credit();
  });
}

function onCommand({ message }) {
  const body = JSON.parse(message.body.content);
  switch (message.message_annotations["x-basic-type"]) {
    case "register":
      if (body.error) throw new Error(body.error);
      for (const one of body.sources) serve(one.queue, one.priority);
      registered(body);
      break;
    case "serve-sources": {
      const named = new Set(body.sources.map((one) => one.queue));
      for (const queue of queues.keys()) if (!named.has(queue)) leave(queue);
      for (const one of body.sources) serve(one.queue, one.priority);
      break;
    }
    case "serve-source":
      if (body.requirements.task_type === "reverse-amqp1")
        serve(`tasks.${body.lane}.${body.priority}`, body.priority);
      break;
    case "leave-source":
      leave(`tasks.${body.lane}.${body.priority}`);
      break;
    case "register-again":
      register();
  }
}

async function work({ message, delivery }) {
  const task = JSON.parse(message.body.content);
  const { task_id, generation, attempt, task_token } = task;
  const fence = { task_id, generation, attempt };
  running = [{ ...fence, task_token, started_at: new Date() }];
  await tell("task.started", { ...fence, task_token }, task_id);
  if (typeof task.task_data.text === "string") {
    const result = { reversed: [...task.task_data.text].reverse().join("") };
    await tell("task.completed", { ...fence, result, task_token }, task_id);
  } else {
    const error = { type: "Incomplete", message: "there is no text in the task" };
    await tell("task.failed", { ...fence, error, retryable: false, task_token }, task_id);
  }
  delivery.accept();
  running = [];
}

async function main() {
  const bind = (binding_key) => ["POST", "/bindings",
    { source: "coordinator.control", destination_queue: control, binding_key, arguments: {} }];
  await manage([
    ["PUT", queueAddress(control), { durable: false, exclusive: true, auto_delete: true, arguments: {} }],
    bind(`agent.${AGENT}`), bind("all"),
  ]);
  connection.open_receiver(queueAddress(control)).on("message", onCommand);
  await register();
  const { heartbeat_seconds } = await registration;
  const beat = () => tell("agent.heartbeat",
    { sequence: ++sequence, slots: 1, running, held: [] }, AGENT, false);
  await beat();
  setInterval(beat, heartbeat_seconds * 1000);
  process.once("SIGTERM", async () => {
    await tell("agent.stopped", {});
    process.exit();
  });
  for (;;) {
    let got;
    for (const [, one] of [...queues].sort((a, b) => a[1].rank - b[1].rank))
      if ((got = await get(one))) break;
    if (got) await work(got);
    else await sleep(200);
  }
}

main();
