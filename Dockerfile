# The program, and nothing that is only needed to build it.
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY src ./src
RUN npm run build

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="registry-sync" \
      org.opencontainers.image.description="Keeps container images in sync between registries" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY --from=build /build/package.json ./
COPY --from=build /build/dist ./dist
# `registry-sync`, and `crawl` and `sync` as bare commands. exec: signals reach the program.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn* \
 && printf '#!/bin/sh\nexec node /app/dist/main.js "$@"\n' > /usr/local/bin/registry-sync \
 && printf '#!/bin/sh\nexec node /app/dist/main.js crawl "$@"\n' > /usr/local/bin/crawl \
 && printf '#!/bin/sh\nexec node /app/dist/main.js sync "$@"\n' > /usr/local/bin/sync \
 && chmod 0755 /usr/local/bin/registry-sync /usr/local/bin/crawl /usr/local/bin/sync
ENV NODE_ENV=production
# The user `node`, by number so that Kubernetes can check runAsNonRoot.
USER 1000:1000
# Mount a volume here (or pass --workdir): everything else may be read-only.
WORKDIR /data
ENTRYPOINT ["registry-sync"]
CMD ["--help"]
