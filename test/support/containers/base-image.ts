/**
 * A stand-in for the base image of the Dockerfile, where no hub can be reached: Debian's essential
 * packages, Node and npm as npm's registry has them, and the user `node`. It takes a quarter of a
 * minute, so it is kept in the system's directory for temporary files, under a name that says of what
 * it was made.
 */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { output } from './programs.ts';
import type { StorageDriver } from './storage-driver.ts';

export const BASE_IMAGE = 'docker.io/library/node:24-bookworm-slim';

const SUITE = 'bookworm';
const NODE_VERSION = '24.21.0';
const NPM_VERSION = '11.21.2';
const NODE_PACKAGE = `node-linux-${process.arch}`; // x64, arm64

// As the real one: programs in /usr/local, node is 1000.
const CONTAINERFILE = `FROM scratch
ADD rootfs.tar /
COPY node/package/bin/node /usr/local/bin/node
COPY npm/package /usr/local/lib/node_modules/npm
COPY npmrc /usr/local/etc/npmrc
COPY ca.pem /usr/local/etc/ca.pem
RUN chmod 0755 /usr/local/bin/node \\
 && ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \\
 && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \\
 && echo node:x:1000:1000::/home/node:/bin/bash >> /etc/passwd \\
 && echo node:x:1000: >> /etc/group \\
 && mkdir -p /home/node && chown 1000:1000 /home/node
ENV NODE_VERSION=${NODE_VERSION}
CMD ["node"]
`;

/** The directory of a store of images that has BASE_IMAGE; made if it isn't there. */
export async function baseImageStore(driver: StorageDriver): Promise<string> {
  const npm = await npmSettings();
  const made = [CONTAINERFILE, SUITE, NODE_PACKAGE, NODE_VERSION, NPM_VERSION, driver];
  const key = createHash('sha256')
    .update(JSON.stringify([...made, npm]))
    .digest('hex')
    .slice(0, 16);
  const store = join(tmpdir(), `registry-sync-base-image-${key}`);
  if (existsSync(store)) return store;
  const work = `${store}-${randomUUID()}`;
  await mkdir(join(work, 'context'), { recursive: true });
  try {
    await makeContext(join(work, 'context'), npm);
    const args = ['--root', join(work, 'store'), '--runroot', join(work, 'run')];
    const how = ['--isolation', 'chroot', '--layers=false', '--squash', '--timestamp', '0'];
    const build = [...args, '--storage-driver', driver, 'bud', ...how, '-t', BASE_IMAGE, '.'];
    await output('buildah', build, { cwd: join(work, 'context') });
    await moveThere(join(work, 'store'), store);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return store;
}

/** How npm reaches its registry here: builds in the stand-in do it the same way. */
async function npmSettings(): Promise<{ readonly registry: string; readonly ca: string }> {
  const [registry, cafile] = await Promise.all(
    ['registry', 'cafile'].map(async (name) =>
      (await output('npm', ['config', 'get', name])).trim(),
    ),
  );
  const file = process.env['NODE_EXTRA_CA_CERTS'] ?? (cafile === 'null' ? undefined : cafile);
  const ca = file === undefined ? '' : await readFile(file, 'utf8');
  return { registry: registry ?? '', ca };
}

async function makeContext(
  context: string,
  { registry, ca }: { readonly registry: string; readonly ca: string },
): Promise<void> {
  await writeFile(join(context, 'Containerfile'), CONTAINERFILE);
  await writeFile(join(context, 'ca.pem'), ca);
  const cafile = ca === '' ? '' : 'cafile=/usr/local/etc/ca.pem\n';
  await writeFile(join(context, 'npmrc'), `registry=${registry}\n${cafile}`);
  await Promise.all([
    unpacked(`${NODE_PACKAGE}@${NODE_VERSION}`, join(context, 'node')),
    unpacked(`npm@${NPM_VERSION}`, join(context, 'npm')),
    bootstrap(join(context, 'rootfs.tar')),
  ]);
}

async function unpacked(name: string, directory: string): Promise<void> {
  await mkdir(directory);
  const packed = await output('npm', ['pack', '--silent', name], { cwd: directory });
  await output('tar', ['-xzf', packed.trim()], { cwd: directory });
}

async function bootstrap(tar: string): Promise<void> {
  // libstdc++6 is what Node needs besides.
  const what = ['--variant=essential', '--include=libstdc++6', '--mode=root'];
  await output('mmdebstrap', [...what, SUITE, tar]);
}

/** Whoever made the same meanwhile was first. */
async function moveThere(made: string, store: string): Promise<void> {
  await rename(made, store).catch((error: unknown) => {
    if (!existsSync(store)) throw error;
  });
}
