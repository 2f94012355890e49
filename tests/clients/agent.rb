# An agent for Ruby: gem install bunny (Debian: ruby-bunny), then
# COORDINATOR_AMQP_URL=amqp://… ruby agent.rb
require "bunny"
require "json"
require "securerandom"

AGENT = "ruby-agent"
INSTANCE = SecureRandom.uuid
RANKS = %w[urgent critical high normal low]

connection = Bunny.new(ENV["COORDINATOR_AMQP_URL"]).start
USER = connection.user # the broker refuses any other
$channel = connection.create_channel
$channel.confirm_select
requests = connection.create_channel
$queues = {} # name => how urgent, 0 is most
$running = []

def tell(type, data, subject = AGENT, persistent: true)
  noun, what = type.split(".")
  $channel.default_exchange # the channel is open
  $channel.basic_publish(
    JSON.generate({ agent_id: AGENT, **data }), "coordinator.events", "#{noun}.#{AGENT}.#{what}",
    persistent: persistent, content_type: "application/json", user_id: USER,
    headers: {
      "cloudEvents_specversion" => "1.0", "cloudEvents_id" => SecureRandom.uuid,
      "cloudEvents_type" => type, "cloudEvents_source" => "/agents/#{AGENT}",
      "cloudEvents_subject" => subject, "cloudEvents_time" => Time.now.to_s
    }
  )
  $channel.wait_for_confirms
end

control = "agent.#{AGENT}.control.#{INSTANCE}"

register = lambda do
  profile = { agent_id: AGENT, agent_type: "worker", instance: INSTANCE, slots: 1,
              task_types: ["reverse-ruby"], metadata: nil }
  requests.basic_publish(
    JSON.generate(profile), "coordinator.events", "agent.#{AGENT}.register", type: "register",
    correlation_id: SecureRandom.uuid, reply_to: control, expiration: "5000", user_id: USER
  )
end

registered = Queue.new
on_command = lambda do |_, properties, payload|
  body = JSON.parse(payload)
  case properties.type
  when "register"
    abort body["error"] if body["error"]
    found = body["sources"].to_h { |one| [one["queue"], RANKS.index(one["priority"])] }
    $queues = $queues.merge(found)
    registered << body
  when "serve-sources"
    $queues = body["sources"].to_h { |one| [one["queue"], RANKS.index(one["priority"])] }
  when "serve-source"
    if body["requirements"]["task_type"] == "reverse-ruby"
      queue = "tasks.#{body["lane"]}.#{body["priority"]}"
      $queues = $queues.merge(queue => RANKS.index(body["priority"]))
    end
  when "leave-source"
    $queues = $queues.reject { |queue, _| queue == "tasks.#{body["lane"]}.#{body["priority"]}" }
  when "register-again"
    register.call
  end
end

def work(delivery, task)
  fence = { task_id: task["task_id"], generation: task["generation"], attempt: task["attempt"] }
  $running = [{ **fence, task_token: task["task_token"], started_at: Time.now }]
  tell("task.started", { **fence, task_token: task["task_token"] }, task["task_id"])
  result = { reversed: task["task_data"]["text"].reverse }
  tell("task.completed", { **fence, result: result, task_token: task["task_token"] }, task["task_id"])
  $channel.ack(delivery.delivery_tag)
  $running = []
end

# A coordinator declares the queue; until it is there, the broker closes the channel.
def listen(connection, control, on_command)
  commands = connection.create_channel
  consumer = Bunny::Consumer.new(commands, control, commands.generate_consumer_tag, true)
  consumer.on_delivery(&on_command)
  commands.basic_consume_with(consumer)
rescue Bunny::NotFound
  sleep 0.1
  retry
end

register.call
listen(connection, control, on_command)
pause = registered.pop["heartbeat_seconds"]
sequence = 0
due = 0
loop do
  now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  if now >= due
    due = now + pause
    state = { instance: INSTANCE, sequence: sequence += 1, slots: 1, running: $running, held: [] }
    tell("agent.heartbeat", state, persistent: false)
  end
  delivery, payload = nil
  $queues.sort_by(&:last).each do |queue, _|
    delivery, _, payload = $channel.basic_get(queue, manual_ack: true)
    break if delivery
  end
  delivery ? work(delivery, JSON.parse(payload)) : sleep(0.2)
end
