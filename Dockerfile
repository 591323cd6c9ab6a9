# The serving image: gateway and ingestion, without training libraries.
FROM python:3.11-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# Dependencies first: this layer changes only with the lock.
FROM base AS dependencies
COPY requirements/default.lock /tmp/default.lock
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --no-deps -r /tmp/default.lock

FROM base
RUN useradd --system --uid 10001 --home-dir /app touchstone \
 && mkdir -p /data && chown touchstone /data
COPY --from=dependencies /opt/venv /opt/venv
WORKDIR /app
COPY ingestion ingestion
COPY service service
COPY deploy/demo deploy/demo
COPY touchstone.py touchstone.yaml LICENSE ./
RUN printf '#!/bin/sh\nexec python /app/touchstone.py "$@"\n' > /opt/venv/bin/touchstone && chmod +x /opt/venv/bin/touchstone
# With --build-arg MULTILINGUAL=1 the image can search every language (90 MB more).
ARG MULTILINGUAL=
RUN if [ -n "$MULTILINGUAL" ]; then /opt/venv/bin/python touchstone.py ingestion multilingual; fi
ENV PATH=/opt/venv/bin:$PATH TOUCHSTONE_HOST=0.0.0.0 TOUCHSTONE_PORT=8000 TOUCHSTONE_DATA_DIR=/data
USER touchstone
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
CMD ["touchstone", "serve"]
