# The build stage has everything; the image gets the bundle, the connectors and Node, nothing else.
# A release names its base by digest: docker build --build-arg NODE_IMAGE=node:24-slim@sha256:...
ARG NODE_IMAGE=node:24-slim
FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY bin bin
COPY connectors connectors
COPY config config
COPY scripts scripts
COPY src src
COPY tsconfig.json ./
RUN npm run build

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="Penstock" \
  org.opencontainers.image.description="Pulls audit logs out of SaaS products and delivers them to a SIEM without losing any." \
  org.opencontainers.image.source="https://github.com/example/penstock" \
  org.opencontainers.image.documentation="https://github.com/example/penstock/tree/main/docs" \
  org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
# The first halves the resident memory at saturation, see docs/performance.md; the second keeps SIGUSR1 from opening a debugger.
ENV NODE_OPTIONS="--max-semi-space-size=8 --disable-sigusr1"
WORKDIR /app
COPY --from=build /build/package.json ./
COPY --from=build /build/bin bin
COPY --from=build /build/dist dist
COPY --from=build /build/connectors connectors
COPY --from=build /build/config config
# data_dir of the configuration; everything else can be mounted read-only (docker run --read-only).
RUN mkdir -p /var/lib/penstock && chown node:node /var/lib/penstock && ln -s /app/bin/penstock.js /usr/local/bin/penstock
VOLUME /var/lib/penstock
USER node
# Answers for this process only, over the socket in data_dir: neither a SIEM outage nor who fills up the port makes the container unhealthy.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["penstock", "health", "-c", "/etc/penstock/penstock.yaml"]
ENTRYPOINT ["penstock"]
CMD ["run", "-c", "/etc/penstock/penstock.yaml"]
