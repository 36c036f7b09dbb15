"""The sandbox's Microsoft Graph."""

from local.sandbox.graph.reads import Graph, GraphProblem
from local.sandbox.graph.routes import error_body, graph_routes

__all__ = ["Graph", "GraphProblem", "error_body", "graph_routes"]
