# syntax=docker/dockerfile:1
#
# The production image: the binary without the sandbox, what it loads, the certificate authorities, and a user without
# rights. No shell, no package manager. `scripts/image` does all of it, and does the same without a container engine.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    scripts/image all /rootfs

FROM scratch
COPY --from=build /rootfs/ /
# The state. A volume that is empty takes over this folder's owner.
COPY --from=build --chown=10001:10001 /rootfs/data /data
ENV DOCKET_CONFIG=/etc/docket/docket.toml
USER 10001:10001
# The database's default place is the working directory.
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# Ready means that a webhook sent now would be kept. There is no curl in here, so the program asks itself.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/usr/local/bin/docket", "check", "--ready"]
ENTRYPOINT ["/usr/local/bin/docket"]
CMD ["serve"]
