// An agent for Go: go get github.com/rabbitmq/amqp091-go
// (Debian: golang-github-rabbitmq-amqp091-go-dev), then
// COORDINATOR_AMQP_URL=amqp://… go run agent.go
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"log"
	"os"
	"sort"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const agent = "go-agent"

var (
	instance = unique()
	control  = "agent." + agent + ".control." + instance
	user     string // the broker refuses any other
	ranks    = map[string]int{"urgent": 0, "critical": 1, "high": 2, "normal": 3, "low": 4}
)

type fence struct {
	TaskID     string `json:"task_id"`
	Generation int    `json:"generation"`
	Attempt    int    `json:"attempt"`
}

type task struct {
	fence
	TaskData  map[string]any `json:"task_data"`
	TaskToken string         `json:"task_token"`
}

type event struct {
	AgentID string `json:"agent_id"`
	*fence
	Result    any    `json:"result,omitempty"`
	TaskToken string `json:"task_token,omitempty"`
}

type heartbeat struct {
	AgentID     string             `json:"agent_id"`
	Instance    string             `json:"instance"`
	Sequence    int                `json:"sequence"`
	Slots       int                `json:"slots"`
	Running     []fence            `json:"running"`      // null, as Go writes it
	LoadMetrics map[string]float64 `json:"load_metrics"` // null, too
}

type source struct {
	Lane         string         `json:"lane"`
	Priority     string         `json:"priority"`
	Queue        string         `json:"queue"`
	Requirements map[string]any `json:"requirements"`
}

type command struct {
	Error     string   `json:"error"`
	Sources   []source `json:"sources"`
	Heartbeat float64  `json:"heartbeat_seconds"`
	source
}

func main() {
	address, err := amqp.ParseURI(os.Getenv("COORDINATOR_AMQP_URL"))
	must(err)
	user = address.Username
	connection, err := amqp.Dial(os.Getenv("COORDINATOR_AMQP_URL"))
	must(err)
	channel, err := connection.Channel()
	must(err)
	must(channel.Confirm(false))
	commands := listen(channel)
	register(channel)

	queues := map[string]int{} // by name: how urgent, 0 is most
	beats := make(<-chan time.Time)
	sequence := 0
	for {
		select {
		case message := <-commands:
			var said command
			must(json.Unmarshal(message.Body, &said))
			if said.Error != "" {
				log.Fatal(said.Error)
			}
			obey(channel, message.Type, said, queues)
			if said.Heartbeat > 0 {
				beats = time.NewTicker(time.Duration(said.Heartbeat * float64(time.Second))).C
			}
			continue
		case <-beats:
			sequence++
			tell(channel, "agent.heartbeat", agent, heartbeat{AgentID: agent, Instance: instance, Sequence: sequence, Slots: 1})
		case <-time.After(200 * time.Millisecond):
		}
		for take(channel, queues) {
		}
	}
}

func listen(channel *amqp.Channel) <-chan amqp.Delivery {
	_, err := channel.QueueDeclare(control, false, false, true, false, nil)
	must(err)
	for _, key := range []string{"agent." + agent, "all"} {
		must(channel.QueueBind(control, key, "coordinator.control", false, nil))
	}
	commands, err := channel.Consume(control, "", true, true, false, false, nil)
	must(err)
	return commands
}

func register(channel *amqp.Channel) {
	body, err := json.Marshal(map[string]any{"agent_id": agent, "agent_type": "worker", "instance": instance,
		"slots": 1, "task_types": []string{"reverse-go"}, "capabilities": nil, "endpoints": nil})
	must(err)
	must(channel.PublishWithContext(context.Background(), "", "coordinator.requests", false, false, amqp.Publishing{
		Type: "register", CorrelationId: unique(), ReplyTo: control, Expiration: "5000", UserId: user, Body: body}))
}

func obey(channel *amqp.Channel, kind string, said command, queues map[string]int) {
	queue := "tasks." + said.Lane + "." + said.Priority
	switch kind {
	case "register", "serve-sources":
		if kind == "serve-sources" {
			for name := range queues {
				delete(queues, name)
			}
		}
		for _, one := range said.Sources {
			queues[one.Queue] = ranks[one.Priority]
		}
	case "serve-source":
		if said.Requirements["task_type"] == "reverse-go" {
			queues[queue] = ranks[said.Priority]
		}
	case "leave-source":
		delete(queues, queue)
	case "register-again":
		register(channel)
	}
}

// take does one task from the most urgent queue that has any.
func take(channel *amqp.Channel, queues map[string]int) bool {
	names := make([]string, 0, len(queues))
	for name := range queues {
		names = append(names, name)
	}
	sort.Slice(names, func(a, b int) bool { return queues[names[a]] < queues[names[b]] })
	for _, name := range names {
		message, found, err := channel.Get(name, false)
		must(err)
		if found {
			work(channel, message)
			return true
		}
	}
	return false
}

func work(channel *amqp.Channel, message amqp.Delivery) {
	var given task
	must(json.Unmarshal(message.Body, &given))
	tell(channel, "task.started", given.TaskID, event{AgentID: agent, fence: &given.fence, TaskToken: given.TaskToken})
	text := []rune(given.TaskData["text"].(string))
	for a, b := 0, len(text)-1; a < b; a, b = a+1, b-1 {
		text[a], text[b] = text[b], text[a]
	}
	result := map[string]string{"reversed": string(text)}
	tell(channel, "task.completed", given.TaskID,
		event{AgentID: agent, fence: &given.fence, Result: result, TaskToken: given.TaskToken})
	must(message.Ack(false))
}

// tell publishes one event and waits until the broker has confirmed it.
func tell(channel *amqp.Channel, kind string, subject string, data any) {
	body, err := json.Marshal(data)
	must(err)
	noun, what, _ := strings.Cut(kind, ".")
	confirm, err := channel.PublishWithDeferredConfirmWithContext(context.Background(),
		"coordinator.events", noun+"."+agent+"."+what, false, false, amqp.Publishing{
			ContentType: "application/json", DeliveryMode: amqp.Persistent, UserId: user, Body: body,
			Headers: amqp.Table{
				"cloudEvents_specversion": "1.0", "cloudEvents_id": unique(), "cloudEvents_type": kind,
				"cloudEvents_source": "/agents/" + agent, "cloudEvents_subject": subject,
				"cloudEvents_time": time.Now().UTC().Format(time.RFC3339),
			}})
	must(err)
	confirm.Wait()
}

func unique() string {
	random := make([]byte, 16)
	_, err := rand.Read(random)
	must(err)
	return hex.EncodeToString(random)
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
