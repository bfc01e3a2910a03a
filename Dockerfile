# The build stage has everything; the image gets the bundle, the connectors and Node on a base without shell and npm. Both bases are pinned by
# the digest of their index of platforms; .github/dependabot.yml asks for newer ones.
FROM node:24.21.0-bookworm-slim@sha256:0e0ff40c39bc087845bfb27465a0df4ea419520094bc35842ff83dd8cbe6f9b6 AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY bin bin
COPY connectors connectors
COPY config config
COPY scripts scripts
COPY src src
COPY LICENSE tsconfig.json ./
RUN npm run build
# The command for `docker exec NAME penstock status`, and data_dir of the configuration.
RUN mkdir -p /image/bin /image/data \
  && printf '#!/usr/local/bin/node\nimport "/app/bin/penstock.js";\n' > /image/bin/penstock && chmod 0755 /image/bin/penstock

# Has the C and C++ libraries, certificates and time zones, and nothing that starts another program.
FROM gcr.io/distroless/cc-debian13:nonroot@sha256:d97bc0a941b8d4be647dc0ee75b264ddbb772f1ac5ba690a4309c00723b23775
ARG VERSION=unreleased
ARG REVISION=unknown
ARG SOURCE=https://github.com/example/penstock
LABEL org.opencontainers.image.title="Penstock" \
  org.opencontainers.image.description="Pulls audit logs out of SaaS products and delivers them to a SIEM without losing any." \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.vendor="The Penstock authors" \
  org.opencontainers.image.url="$SOURCE" \
  org.opencontainers.image.version="$VERSION" \
  org.opencontainers.image.revision="$REVISION" \
  org.opencontainers.image.source="$SOURCE" \
  org.opencontainers.image.documentation="$SOURCE/tree/main/docs" \
  org.opencontainers.image.base.name="gcr.io/distroless/cc-debian13:nonroot"
ENV NODE_ENV=production
# So that health and status find the daemon also while its file is being replaced.
ENV PENSTOCK_DATA_DIR=/var/lib/penstock
# The first halves the resident memory at saturation, see docs/performance.md; the second keeps SIGUSR1 from opening a debugger.
ENV NODE_OPTIONS="--max-semi-space-size=8 --disable-sigusr1" MALLOC_ARENA_MAX=1
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /usr/local/LICENSE /usr/share/doc/node/LICENSE
COPY --from=build /image/bin/penstock /usr/local/bin/penstock
WORKDIR /app
COPY --from=build /build/package.json /build/LICENSE /build/THIRD-PARTY-NOTICES /build/sbom.cdx.json ./
COPY --from=build /build/bin bin
COPY --from=build /build/dist dist
COPY --from=build /build/connectors connectors
COPY --from=build /build/config config
# All that is written; everything else can be mounted read-only (docker run --read-only).
COPY --from=build --chown=1000:1000 /image/data /var/lib/penstock
VOLUME /var/lib/penstock
USER 1000:1000
# Answers for this process only, over the socket in data_dir: neither a SIEM outage nor who fills up the port makes the container unhealthy.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/usr/local/bin/node", "/app/bin/penstock.js", "health", "-c", "/etc/penstock/penstock.yaml"]
ENTRYPOINT ["/usr/local/bin/node", "/app/bin/penstock.js"]
CMD ["run", "-c", "/etc/penstock/penstock.yaml"]
