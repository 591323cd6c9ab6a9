"""What an experiment shows, in the format that its reader likes."""

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import AwareDatetime

from service.deps import AnalystCall
from service.experiments.render.document import POLICY
from service.experiments.reports import Asked
from service.experiments.requests import Format
from service.openapi import Responses, errors
from service.scope.experiments import Stage

router = APIRouter(prefix="/v1", responses=errors(400, 401, 404, 409, 503))
_FORMATS: Responses = {
    200: {
        "description": "The report: as JSON, as a table with a row for each metric and arm, or as a page.",
        "content": {
            "application/json": {},
            "text/csv": {},
            "application/vnd.apache.parquet": {},
            "text/html": {},
        },
    }
}


@router.get("/experiments/{name}/results", response_class=Response, responses=_FORMATS)
async def results(
    name: str,
    call: AnalystCall,
    format: Format = "json",
    as_of: AwareDatetime | None = None,
    stage: Stage | None = None,
) -> Response:
    """What may be concluded, and every figure behind it; without `stage`, of the stage that decides or came nearest to it."""
    report = await call.state.reports.find(Asked(name, stage, as_of))
    shown = await call.state.reports.show(report, format)
    way = "inline" if format in ("json", "html") else "attachment"
    headers = {
        "content-disposition": f'{way}; filename="{shown.file_name}"',
        "content-security-policy": f"{POLICY}; frame-ancestors 'none'",
        "cache-control": "no-cache",
    }
    return Response(shown.content, media_type=shown.media_type, headers=headers)
