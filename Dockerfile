# syntax=docker/dockerfile:1
# Builds with the `dist` profile and ships the binary alone, run by a user without rights. The image has no shell and no package manager;
# `docker exec NAME bellwether status` and the other commands are how one looks inside. Nothing but /data is written to.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs ./
COPY .cargo .cargo
COPY migrations migrations
COPY src src
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --profile dist --bin bellwether && cp target/dist/bellwether /bellwether && mkdir /data

# glibc and libgcc and little else; its user `nonroot` is 65532. Root certificates are built into the binary.
FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="bellwether" \
      org.opencontainers.image.description="Self-hosted alerts for trading communities on Discord and Telegram" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /bellwether /usr/local/bin/bellwether
COPY --from=build --chown=65532:65532 /data /data
WORKDIR /data
VOLUME /data
ENV DATABASE_URL=sqlite:///data/bellwether.db \
    BELLWETHER_LISTEN=0.0.0.0:8080 \
    BELLWETHER_LOG_FORMAT=json
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=6s --start-period=20s CMD ["bellwether", "healthcheck"]
ENTRYPOINT ["bellwether"]
CMD ["serve"]
