// A program against the types that openapi-typescript makes; README_BODY is replaced by the README's own.
import createClient from "openapi-fetch";
import type { paths } from "./api";

const client = createClient<paths>({ baseUrl: "http://localhost:9001" });

export async function submitted(): Promise<string> {
    const { data, error } = await client.POST("/tasks/submit", { body: README_BODY });
    if (data === undefined) {
        throw new Error(error.detail);
    }
    return data.task_id;
}

export async function whatCanBeLeftOutNeedNotBeSent(): Promise<void> {
    await client.POST("/tasks/submit", { body: { task_data: {} } });
    await client.POST("/tasks/dead/redrive", { body: { dry_run: true } });
    await client.POST("/tasks/dead/redrive");
    await client.POST("/agents/{agent_id}/heartbeat", { params: { path: { agent_id: "a" } } });
    await client.POST("/schedules", { body: { cron: "* * * * *", task: { task_data: {} } } });
}

export async function whatIsWrongDoesNotCompile(): Promise<void> {
    // @ts-expect-error: task_data is required
    await client.POST("/tasks/submit", { body: {} });
    // @ts-expect-error: there is no such priority
    await client.POST("/tasks/submit", { body: { task_data: {}, priority: "soon" } });
}
