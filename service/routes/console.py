"""The pages for analysts: the experiments, and the report on one. The pages hold nothing; their script asks with a key."""

from fastapi import APIRouter
from fastapi.responses import FileResponse

from service.routes.page import page_file

router = APIRouter(include_in_schema=False, prefix="/console")


@router.get("/experiments")
async def experiments() -> FileResponse:
    """All experiments."""
    return page_file("experiments.html")


@router.get("/experiments/{name}")
async def report(name: str) -> FileResponse:
    """The report on one, whose name the script takes from the address."""
    return page_file("report.html")
