"""/openapi.json and /docs. Like the playground they need no key, as they show no caller's data."""

import re
from functools import cache
from importlib import resources

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from assistants.api import playground, policy
from assistants.settings import settings

DOCUMENT, DOCS = "/openapi.json", "/docs"

_START = "start.js"
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)

_ASSETS = {
    _START: "text/javascript",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}

_SOURCES = ("script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'")
"""The sources of Swagger UI: its own files, the images in its styles, and the API."""

router = APIRouter(include_in_schema=False)


def is_page(path: str) -> bool:
    """Whether a path is public."""
    if settings().playground and (path == playground.PATH or path.startswith(f"{playground.PATH}/")):
        return True
    return path in (DOCUMENT, DOCS) or path.startswith(f"{DOCS}/")


@router.get(DOCUMENT)
async def document(request: Request) -> Response:
    """The description of the API, made at the first request."""
    from assistants.api.description import described

    return JSONResponse(described(request.app), headers=policy.headers())


@router.get(DOCS)
async def docs() -> HTMLResponse:
    """Swagger UI; all of its addresses are relative to the page, and it has no inline script."""
    page = _INLINE.sub(f'<script src="{DOCS.lstrip("/")}/{_START}"></script>', _swagger_ui())
    return HTMLResponse(page, headers=policy.headers(page, *_SOURCES))


@cache
def _swagger_ui() -> str:
    from fastapi.openapi.docs import get_swagger_ui_html

    page = get_swagger_ui_html(
        openapi_url=DOCUMENT.lstrip("/"),
        title="Assistants API",
        swagger_js_url=f"{DOCS}/swagger-ui-bundle.js".lstrip("/"),
        swagger_css_url=f"{DOCS}/swagger-ui.css".lstrip("/"),
        swagger_favicon_url=f"{DOCS}/favicon-32x32.png".lstrip("/"),
        swagger_ui_parameters={"tryItOutEnabled": True, "validatorUrl": "none"},
    )
    return bytes(page.body).decode()


@router.get(f"{DOCS}/{{asset}}")
async def docs_asset(asset: str) -> Response:
    """A file of Swagger UI, from the package that contains it."""
    if asset not in _ASSETS:
        raise HTTPException(404)
    content = _script() if asset == _START else _packaged(asset)
    headers = policy.headers() | {"cache-control": "public, max-age=86400"}
    return Response(content, media_type=_ASSETS[asset], headers=headers)


def _script() -> bytes:
    """The script that FastAPI has inline in its page."""
    return "".join(_INLINE.findall(_swagger_ui())).encode()


def _packaged(asset: str) -> bytes:
    import fastapi_swagger  # pyright: ignore[reportMissingTypeStubs] - it has none

    return (resources.files(fastapi_swagger) / "resources" / asset).read_bytes()
