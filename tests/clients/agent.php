<?php
// An agent for PHP: composer require php-amqplib/php-amqplib (Debian: php-amqplib), then
// COORDINATOR_AMQP_URL=amqp://… php agent.php
require_once "PhpAmqpLib/autoload.php";

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

const AGENT = "php-agent";
const RANKS = ["urgent", "critical", "high", "normal", "low"];
define("INSTANCE", bin2hex(random_bytes(16)));

$url = parse_url(getenv("COORDINATOR_AMQP_URL"));
define("USER", urldecode($url["user"]));  // the broker refuses any other
$connection = new AMQPStreamConnection($url["host"], $url["port"], USER,
    urldecode($url["pass"]), isset($url["path"]) ? urldecode(substr($url["path"], 1)) : "/");
$channel = $connection->channel();
$channel->confirm_select();
$commands = $connection->channel();
$control = "agent." . AGENT . ".control." . INSTANCE;
$queues = [];  // name => how urgent, 0 is most
$pause = null;

function tell(string $type, array $data, string $subject = AGENT, bool $persistent = true): void
{
    global $channel;
    [$noun, $what] = explode(".", $type);
    $message = new AMQPMessage(json_encode(["agent_id" => AGENT] + $data), [
        "content_type" => "application/json",
        "delivery_mode" => $persistent ? 2 : 1,
        "user_id" => USER,
        "application_headers" => new AMQPTable([
            "cloudEvents_specversion" => "1.0",
            "cloudEvents_id" => bin2hex(random_bytes(16)),
            "cloudEvents_type" => $type,
            "cloudEvents_source" => "/agents/" . AGENT,
            "cloudEvents_subject" => $subject,
            "cloudEvents_time" => date(DATE_ATOM),
        ]),
    ]);
    $channel->basic_publish($message, "coordinator.events", "$noun." . AGENT . ".$what");
    $channel->wait_for_pending_acks();
}

function register(): void
{
    global $commands, $control;
    $profile = ["agent_id" => AGENT, "agent_type" => "worker", "instance" => INSTANCE, "slots" => 1,
        "task_types" => ["reverse-php"], "metadata" => [], "endpoints" => []];
    $commands->basic_publish(new AMQPMessage(json_encode($profile), [
        "type" => "register", "correlation_id" => bin2hex(random_bytes(16)),
        "reply_to" => $control, "expiration" => "5000", "user_id" => USER,
    ]), "", "coordinator.requests");
}

function serve(array $sources): void
{
    global $queues;
    foreach ($sources as $one) {
        $queues[$one["queue"]] = array_search($one["priority"], RANKS);
    }
}

function on_command(AMQPMessage $message): void
{
    global $queues, $pause;
    $body = json_decode($message->getBody(), true);
    $type = $message->get("type");
    if ($type === "register" && isset($body["error"])) {
        exit($body["error"] . "\n");
    }
    if ($type === "serve-sources") {
        $queues = [];
    }
    if ($type === "register" || $type === "serve-sources") {
        serve($body["sources"]);
        $pause = $body["heartbeat_seconds"] ?? $pause;
    } elseif ($type === "serve-source" && ($body["requirements"]["task_type"] ?? "") === "reverse-php") {
        $queues["tasks.{$body["lane"]}.{$body["priority"]}"] = array_search($body["priority"], RANKS);
    } elseif ($type === "leave-source") {
        unset($queues["tasks.{$body["lane"]}.{$body["priority"]}"]);
    } elseif ($type === "register-again") {
        register();
    }
}

function work(AMQPMessage $message): void
{
    $task = json_decode($message->getBody(), true);
    $fence = array_intersect_key($task, array_flip(["task_id", "generation", "attempt"]));
    tell("task.started", $fence + ["task_token" => $task["task_token"]], $task["task_id"]);
    $result = ["reversed" => strrev($task["task_data"]["text"])];
    $outcome = $fence + ["result" => $result, "task_token" => $task["task_token"]];
    tell("task.completed", $outcome, $task["task_id"]);
    $message->ack();
}

$commands->queue_declare($control, false, false, true);
foreach (["agent." . AGENT, "all"] as $key) {
    $commands->queue_bind($control, "coordinator.control", $key);
}
$commands->basic_consume($control, "", false, true, false, false, "on_command");
register();
while ($pause === null) {
    $commands->wait();
}
$sequence = 0;
$due = 0;
while (true) {
    if (microtime(true) >= $due) {
        $due = microtime(true) + $pause;
        tell("agent.heartbeat", ["instance" => INSTANCE, "sequence" => ++$sequence, "slots" => 1,
            "running" => [], "load_metrics" => []], AGENT, false);
    }
    $commands->wait(null, true);
    $message = null;
    asort($queues);
    foreach (array_keys($queues) as $queue) {
        if ($message = $channel->basic_get($queue)) {
            break;
        }
    }
    $message ? work($message) : usleep(200_000);
}
