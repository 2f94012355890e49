// The CloudEvents SDK for JavaScript beside this project, for tests/integration/test_cloudevents_js_sdk.py.
//
// `read` takes messages of the project from stdin and prints the events that the SDK makes of them;
// `write` takes events and prints the SDK's messages, in the form that the second word names. One
// message or event a line, as JSON.
"use strict";
const { readFileSync } = require("node:fs");
const { CloudEvent, HTTP } = require("cloudevents");

const PREFIX = "cloudEvents_";

// The SDK has no binding for AMQP: a consumer names the headers as the one for HTTP does.
function read({ headers, contentType, body }) {
  const found = { "content-type": contentType };
  for (const [name, value] of Object.entries(headers))
    found[name.replace(PREFIX, "ce-")] = value;
  const read = HTTP.toEvent({ headers: found, body });
  for (const event of [read].flat()) event.validate();
  return read;
}

const FORMS = {
  binary: (event) => HTTP.binary(event),
  structured: (event) => HTTP.structured(event),
  // The SDK reads batches and writes none: its events in an array.
  batch: (event) => ({
    headers: { "content-type": "application/cloudevents-batch+json; charset=utf-8" },
    body: JSON.stringify([event]),
  }),
};

const [what, form] = process.argv.slice(2);
const made = what === "read" ? read : (given) => FORMS[form](new CloudEvent(given));
for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean))
  console.log(JSON.stringify(made(JSON.parse(line))));
