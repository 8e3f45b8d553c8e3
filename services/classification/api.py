"""HTTP in."""

from fastapi import APIRouter

routes = APIRouter(prefix="/v1/classification", tags=["classification"])
