"""Serve an index: an HTTP API and a web page, both local.

``disentone serve my.index`` is the face of it; :func:`disentone.serve.app.create_app` gives the
ASGI application to anyone who runs their own server. Nothing is imported here, so that the process
that decodes uploads begins in a fifth of a second.
"""
