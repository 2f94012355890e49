"""Serves the documentation page `/docs`, all that it loads, and `/openapi.json`."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from coordinator.api.json_answer import JsonAnswer

__all__ = ["mount_assets", "router"]

_ASSETS = "docs/assets"

_PARAMETERS = {
    "validatorUrl": None,  # it would send the document to a site of Swagger's
    "displayRequestDuration": True,
    "tryItOutEnabled": True,
    "defaultModelsExpandDepth": 0,
}

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def openapi(request: Request) -> JsonAnswer:
    return JsonAnswer(request.app.openapi())


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """Its addresses are relative, so that it works behind any prefix."""
    return get_swagger_ui_html(
        openapi_url="openapi.json",
        title=request.app.title,
        swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{_ASSETS}/favicon-32x32.png",
        swagger_ui_parameters=_PARAMETERS,
    )


def mount_assets(app: FastAPI, prefix: str) -> None:
    """Swagger UI's files, as the package `fastapi-swagger` carries them."""
    app.mount(f"{prefix}/{_ASSETS}", StaticFiles(packages=[("fastapi_swagger", "resources")]))
