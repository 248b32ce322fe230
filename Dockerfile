# pgproof with PostgreSQL inside, of the Debian package that `scripts/package deb` makes of a release build:
#
#   cargo build --release --locked && scripts/package deb
#   docker build --tag pgproof .
#   docker run --rm --volume "$PWD:/project" pgproof audit
#
# The server runs as PostgreSQL's own user inside the container. Datasets are kept in the project's .pgproof.
FROM debian:bookworm-slim
COPY dist/pgproof_*.deb /tmp/pgproof/
# Without a cluster of Debian's own, which nobody would use.
RUN mkdir -p /etc/postgresql-common \
    && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf \
    && apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates git postgresql /tmp/pgproof/pgproof_*.deb \
    && rm -rf /var/lib/apt/lists/* /tmp/pgproof
WORKDIR /project
ENTRYPOINT ["pgproof"]
CMD ["audit"]
