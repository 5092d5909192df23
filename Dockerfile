# Builds with the `dist` profile and ships the binary alone, run by a user without rights.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs ./
COPY migrations migrations
COPY src src
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --profile dist --bin bellwether && cp target/dist/bellwether /bellwether

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --home-dir /data --create-home --shell /usr/sbin/nologin bellwether
COPY --from=build /bellwether /usr/local/bin/bellwether
USER bellwether
WORKDIR /data
VOLUME /data
ENV DATABASE_URL=sqlite:///data/bellwether.db \
    BELLWETHER_LISTEN=0.0.0.0:8080 \
    BELLWETHER_LOG_FORMAT=json
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=6s --start-period=20s CMD ["bellwether", "healthcheck"]
ENTRYPOINT ["bellwether"]
CMD ["serve"]
