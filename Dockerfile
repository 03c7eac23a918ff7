# The program, and nothing that is only needed to build it: docs/image.md.
#   buildah bud -t registry-sync .        docker build -t registry-sync .
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY src ./src
# Source maps are two thirds of it, and nothing here reads them.
RUN npm run build && rm dist/*.map

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="registry-sync" \
      org.opencontainers.image.description="Keeps container images in sync between registries" \
      org.opencontainers.image.source="https://github.com/giantswarm/registry-sync" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY --from=build /build/package.json ./
COPY LICENSE ./
COPY --from=build /build/dist ./dist
# No package manager. `registry-sync`, and what CronJobs run as bare commands; exec: signals reach the
# program. /data is for --workdir; a named volume that is mounted there takes its owner from it.
RUN rm -rf /usr/local/lib/node_modules /usr/local/include /usr/local/bin/npm /usr/local/bin/npx \
      /usr/local/bin/corepack /usr/local/bin/yarn* /opt/yarn* \
 && cd /usr/local/bin \
 && printf '#!/bin/sh\nexec node /app/dist/main.js "$@"\n' > registry-sync \
 && for name in crawl sync verify; do \
      printf '#!/bin/sh\nexec node /app/dist/main.js %s "$@"\n' "$name" > "$name"; \
    done \
 && chmod 0755 registry-sync crawl sync verify \
 && mkdir /data && chown 1000:1000 /data
# The root can be read-only: what is temporary goes where a volume is.
ENV NODE_ENV=production TMPDIR=/data
# The user `node`, by number so that Kubernetes can check runAsNonRoot.
USER 1000:1000
WORKDIR /data
ENTRYPOINT ["registry-sync"]
CMD ["--help"]
