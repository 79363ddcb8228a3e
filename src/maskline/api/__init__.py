"""The HTTP side: one ASGI application on one port, one sub-application per dialect.

What it is: routes, credentials, limits, schemas, errors and serializers. What it is not: rules; those are in
`workflows` and `masking`. Who uses it: `app.py` builds it with `api.app.build_http_app` and serves it with
`api.server.HttpServer`.
"""
