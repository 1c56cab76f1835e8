# The production image: the binary without the sandbox, what it loads, the certificate authorities, and a user without
# rights. No shell, no package manager. `scripts/image` does all of it, and does the same without a container engine;
# `scripts/container` builds the last stage with an engine and tries it.
#
# The base by its tag, because no digest can be looked up where this is written. To pin what you build with:
#   docker buildx imagetools inspect rust:1.95-bookworm --format '{{.Manifest.Digest}}'
#   docker build --build-arg BASE=rust@sha256:… .
# Nothing of the base is in the image but the files that `scripts/image layout` names.
ARG BASE=rust:1.95-bookworm
FROM ${BASE} AS build
# So that the binary says which crates it is made of: scanners read that out of it.
RUN cargo install --locked cargo-auditable@0.7.7
WORKDIR /src
# What is others' first: this layer stays as long as Cargo.lock does, and is most of the work.
COPY Cargo.toml Cargo.lock build.rs ./
COPY sandbox/Cargo.toml sandbox/
COPY scripts/image scripts/
RUN scripts/image dependencies
COPY . .
RUN scripts/image all /rootfs && mkdir /state

FROM scratch
COPY --from=build /rootfs/ /
# The state's folder, in no other COPY: engines differ in whose a copied folder is, and none changes the owner of one that is
# there already. A volume that is empty takes over its owner.
COPY --from=build --chown=10001:10001 /state /data
ENV DOCKET_CONFIG=/etc/docket/docket.toml
# The settings are in a folder that nobody may write to, so the database does not lie beside them.
ENV DATABASE_URL=sqlite:///data/docket.db
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# Ready means that a webhook sent now would be kept. There is no curl in here, so the program asks itself.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/usr/local/bin/docket", "check", "--ready"]
ENTRYPOINT ["/usr/local/bin/docket"]
CMD ["serve"]
