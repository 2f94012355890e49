// An agent for Node.js: npm install amqplib, then
// COORDINATOR_AMQP_URL=amqp://… node agent.js
"use strict";
const crypto = require("node:crypto");
const amqp = require("amqplib");

const AGENT = "node-agent";
const INSTANCE = crypto.randomUUID();
const RANKS = ["urgent", "critical", "high", "normal", "low"];
const control = `agent.${AGENT}.control.${INSTANCE}`;
const url = new URL(process.env.COORDINATOR_AMQP_URL);
const userId = decodeURIComponent(url.username) || "guest"; // the broker refuses any other
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

let queues = new Map(); // name: how urgent, 0 is most
let running = [];
let sequence = 0;
let registered;
const registration = new Promise((done) => (registered = done));

async function main() {
  const connection = await amqp.connect(url.href);
  const channel = await connection.createConfirmChannel();

  function tell(type, data, subject = AGENT, persistent = true) {
    const [noun, what] = type.split(".");
    channel.publish("coordinator.events", `${noun}.${AGENT}.${what}`,
      Buffer.from(JSON.stringify({ agent_id: AGENT, ...data })), {
        persistent,
        userId,
        contentType: "application/json",
        headers: {
          cloudEvents_specversion: "1.0",
          cloudEvents_id: crypto.randomUUID(),
          cloudEvents_type: type,
          cloudEvents_source: `/agents/${AGENT}`,
          cloudEvents_subject: subject,
          cloudEvents_time: Date.now(),
        },
      });
    return channel.waitForConfirms();
  }

  function register() {
    const profile = { agent_id: AGENT, agent_type: "worker", instance: INSTANCE, slots: 1,
      capabilities: [], task_types: ["reverse-node"], metadata: null };
    channel.publish("coordinator.events", `agent.${AGENT}.register`, Buffer.from(JSON.stringify(profile)), {
      type: "register", correlationId: crypto.randomUUID(), replyTo: control, expiration: "5000", userId,
    });
  }

  // A coordinator declares the queue; until it is there, the broker closes the channel.
  async function listen() {
    for (;;) {
      const commands = await connection.createChannel();
      commands.on("error", () => {});
      try {
        return await commands.consume(control, onCommand, { noAck: true });
      } catch {
        await sleep(100);
      }
    }
  }

  function onCommand(message) {
    const body = JSON.parse(message.content);
    switch (message.properties.type) {
      case "register":
        if (body.error) throw new Error(body.error);
        for (const one of body.sources) queues.set(one.queue, RANKS.indexOf(one.priority));
        registered(body);
        break;
      case "serve-sources":
        queues = new Map(body.sources.map((one) => [one.queue, RANKS.indexOf(one.priority)]));
        break;
      case "serve-source":
        if (body.requirements.task_type === "reverse-node")
          queues.set(`tasks.${body.lane}.${body.priority}`, RANKS.indexOf(body.priority));
        break;
      case "leave-source":
        queues.delete(`tasks.${body.lane}.${body.priority}`);
        break;
      case "register-again":
        register();
    }
  }

  async function work(message) {
    const task = JSON.parse(message.content);
    const { task_id, generation, attempt, task_token } = task;
    const fence = { task_id, generation, attempt };
    running = [{ ...fence, task_token, started_at: new Date() }];
    await tell("task.started", { ...fence, instance: INSTANCE, task_token }, task_id);
    const result = { reversed: [...task.task_data.text].reverse().join("") };
    await tell("task.completed", { ...fence, result, task_token }, task_id);
    channel.ack(message);
    running = [];
  }

  register();
  await listen();
  const { heartbeat_seconds } = await registration;
  const beat = () => tell("agent.heartbeat",
    { instance: INSTANCE, sequence: ++sequence, slots: 1, running, held: [] }, AGENT, false);
  await beat();
  setInterval(beat, heartbeat_seconds * 1000);
  for (;;) {
    let message = false;
    for (const [queue] of [...queues].sort((a, b) => a[1] - b[1]))
      if ((message = await channel.get(queue))) break;
    if (message) await work(message);
    else await sleep(200);
  }
}

main();
