# syntax=docker/dockerfile:1

# The image of Parlor: one static program, an init, certificates, and nothing else.
# docs/decisions/0015-an-image-without-a-system.md says why.

FROM rust:1.95.0-bookworm AS build
# The versions are those of the base image's Debian, which has no others.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
# One script makes the tree here and on machines without a container engine. What cargo fetches and builds stays in
# the engine's caches, so that the next build compiles only what has changed.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    deploy/rootfs.sh /rootfs dist

FROM scratch
LABEL org.opencontainers.image.title="parlor" \
      org.opencontainers.image.description="A conversational backend: durable runs, serialized tool calls, resumable streams" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /rootfs/system /
# The folder of the SQLite files, and the only one that the service writes to. It is not made before: the owner counts
# for a new folder only.
COPY --from=build --chown=10001:10001 /rootfs/data /data
USER 10001:10001
WORKDIR /data
VOLUME /data
ENV HOST=0.0.0.0 \
    PORT=8000
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/bin/parlor", "health"]
# The signal goes to parlor alone (no `-g`): it ends its tool servers itself, after the runs that need them.
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/bin/parlor"]
