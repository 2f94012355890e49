"""Lists the deliveries of callbacks, and tries dead ones again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from coordinator.api.access_control.caller import Caller
from coordinator.api.access_control.own_things import only_own
from coordinator.api.endpoint_route import EndpointRoute
from coordinator.api.endpoint_services import Wired
from coordinator.api.json_answer import JsonAnswer
from coordinator.api.openapi_document import responses
from coordinator.api.strict_requests import strict_request
from coordinator.api.wire.callbacks.delivery_shapes import (
    CallbacksAnswer,
    CallbacksQuery,
    RedriveCallbacksBody,
    RedrivenCallbacksAnswer,
    delivery_shape,
)
from coordinator.api.wire.fields import cursors
from coordinator.api.wire.fields.instants import timestamp
from coordinator.registry.stores.callback_deliveries import CallbackFilter

__all__ = ["router"]

router = APIRouter(prefix="/callbacks", tags=["Callbacks"], route_class=EndpointRoute)


@router.get(
    "",
    summary="List callbacks",
    responses=responses("list_callbacks", CallbacksAnswer, 422, 503),
)
async def list_callbacks(
    query: Annotated[CallbacksQuery, Query()], wired: Wired, caller: Caller
) -> JsonAnswer:
    """What was told, or is to be told, to the URLs of callbacks: the latest first. Who may see its own tasks
    alone is told of no others.
    """
    page = await wired.callbacks.page(
        CallbackFilter(
            state=query.state,
            task_id=query.task_id,
            host=query.host,
            submitted_by=only_own("list_callbacks", caller),
        ),
        after=cursors.CALLBACKS.read(query.cursor),
        limit=query.limit,
    )
    return JsonAnswer(
        {
            "status": "success",
            "callbacks": [delivery_shape(one) for one in page.deliveries],
            "count": len(page.deliveries),
            "next_cursor": cursors.CALLBACKS.write(page.following),
            "timestamp": timestamp(),
        }
    )


@router.post(
    "/redrive",
    summary="Try dead callbacks again",
    dependencies=[strict_request(RedriveCallbacksBody)],
    responses=responses("redrive_callbacks", RedrivenCallbacksAnswer, 413, 422, 503),
)
async def redrive_callbacks(
    wired: Wired, caller: Caller, body: RedriveCallbacksBody | None = None
) -> JsonAnswer:
    """Makes the dead callbacks that match due at once, all of them where no filter is given: each under the
    `webhook-id` that it has, and for as long as a new one. With `dry_run` it only counts them.
    """
    asked = body or RedriveCallbacksBody()
    dry_run = bool(asked.dry_run)
    count = await wired.callbacks.redrive(
        CallbackFilter(
            task_id=asked.task_id,
            host=asked.host,
            submitted_by=only_own("redrive_callbacks", caller),
        ),
        dry_run=dry_run,
    )
    callbacks, are = ("callback", "is") if count == 1 else ("callbacks", "are")
    verb = "would be" if dry_run else are
    return JsonAnswer(
        {
            "status": "success",
            "message": f"{count} dead {callbacks} {verb} tried again",
            "dry_run": dry_run,
            "redriven": count,
            "timestamp": timestamp(),
        }
    )
