/**
 * One image through all places that images are kept in, by our program; others read each stage:
 * registry → dir → oci → oci-archive → docker-archive → Docker's daemon → registry.
 */
import { deepEqual, equal, match } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

import { runCli } from '../support/cli.ts';
import { startDockerd } from '../support/dockerd.ts';
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts';
import { helloProgram } from '../support/hello-program.ts';
import { image, index, type BuiltBlob, type BuiltImage } from '../support/images.ts';
import { push } from '../support/push.ts';
import { digestOf } from '../support/registry/store.ts';
import { rawDigest, skopeo } from '../support/skopeo.ts';
import { tarOf } from '../support/tar-bytes.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const exec = promisify(execFile);
const HELLO = 'hello from the image\n';

/** An OCI image with a program in it. */
function runnable(): BuiltImage {
  const tar = tarOf([{ name: 'hello', content: helloProgram(HELLO), mode: 0o755 }]);
  const bytes = gzipSync(tar);
  const layer: BuiltBlob = {
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest: digestOf(bytes),
    bytes,
  };
  return image({
    layers: [layer],
    config: {
      config: { Entrypoint: ['/hello'], Labels: { of: 'round trip' } },
      rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
    },
  });
}

const IMAGE = runnable();
const LIST = index(
  ['amd64', 'arm64'].map((architecture) => ({
    image: image({ seed: architecture, platform: { os: 'linux', architecture } }),
    platform: { os: 'linux', architecture },
  })),
);

const started = await startDockerd();
const daemon = 'daemon' in started ? started.daemon : undefined;
let registry: DockerRegistry;
let dir: TempDir;

before(async () => {
  dir = await tempDir();
  registry = await startDockerRegistry();
  await push(registry.origin, 'acme/hello', '1', IMAGE);
  await push(registry.origin, 'acme/list', '1', LIST);
});
after(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await registry.stop();
  await dir[Symbol.asyncDispose]();
});

const at = (name: string): string => join(dir.path, name);

async function copy(from: string, to: string, ...options: string[]): Promise<void> {
  const { code, stderr } = await runCli(['copy', ...options, from, to], {
    env: daemon === undefined ? {} : { DOCKER_HOST: daemon.host },
  });
  equal(code, 0, `${from} → ${to}: ${stderr}`);
}

/** The digest of the config, which is the image's id everywhere. */
async function idOf(reference: string, ...flags: string[]): Promise<string> {
  const raw = JSON.parse(await skopeo(['inspect', '--raw', ...flags, reference])) as {
    config: { digest: string };
  };
  return raw.config.digest;
}

describe('an image on its way through all transports', () => {
  const plain = '--tls-verify=false';

  it('keeps its bytes in dir:, oci: and oci-archive:', async () => {
    await copy(`docker://${registry.host}/acme/hello:1`, `dir:${at('dir')}`);
    equal(await rawDigest(`dir:${at('dir')}`), IMAGE.root.digest);
    await copy(`dir:${at('dir')}`, `oci:${at('oci')}:hello`);
    equal(await rawDigest(`oci:${at('oci')}:hello`), IMAGE.root.digest);
    match((await exec('umoci', ['ls', '--layout', at('oci')])).stdout, /^hello$/m);
    await copy(`oci:${at('oci')}:hello`, `oci-archive:${at('oci.tar')}:hello`);
    equal(await rawDigest(`oci-archive:${at('oci.tar')}:hello`), IMAGE.root.digest);
  });

  it('keeps its content in docker-archive:, where layers are plain', async () => {
    await copy(
      `oci-archive:${at('oci.tar')}:hello`,
      `docker-archive:${at('docker.tar')}:acme/hello:1`,
    );
    const inspected = JSON.parse(
      await skopeo(['inspect', '--config', `docker-archive:${at('docker.tar')}`]),
    ) as { config: unknown; rootfs: unknown };
    const config = JSON.parse(String(IMAGE.blobs.find(isConfig)?.bytes)) as typeof inspected;
    deepEqual(inspected.config, config.config);
    deepEqual(inspected.rootfs, config.rootfs);
  });

  const skip = 'reason' in started && started.reason;
  it('is loaded and run by a Docker daemon, and comes back', { skip }, async () => {
    await copy(`docker-archive:${at('docker.tar')}`, 'docker-daemon:acme/hello:2');
    if (process.arch === 'x64') {
      const run = ['-H', daemon?.host ?? '', 'run', '--rm', '--network', 'none', 'acme/hello:2'];
      equal((await exec('docker', run)).stdout, HELLO);
    }
    await copy('docker-daemon:acme/hello:2', `docker://${registry.host}/acme/hello:2`);
    const back = await idOf(`docker://${registry.host}/acme/hello:2`, plain);
    equal(back, await daemon?.imageId('acme/hello:2'));
    // As OCI it is the first image's content again.
    await copy(
      `docker://${registry.host}/acme/hello:2`,
      `oci:${at('back')}:hello`,
      '--format',
      'oci',
    );
    const [first, last] = await Promise.all(
      [`oci:${at('oci')}:hello`, `oci:${at('back')}:hello`].map((from) =>
        skopeo(['inspect', '--config', from]),
      ),
    );
    deepEqual(filesOf(last), filesOf(first));
  });

  it('is a list where all of it is asked for, byte for byte', async () => {
    const { digest } = LIST.root;
    const all = '--all';
    await copy(`docker://${registry.host}/acme/list:1`, `dir:${at('list')}`, all);
    equal(await rawDigest(`dir:${at('list')}`), digest);
    await copy(`dir:${at('list')}`, `oci:${at('lists')}:1`, all);
    equal(await rawDigest(`oci:${at('lists')}:1`), digest);
    await copy(`oci:${at('lists')}:1`, `oci-archive:${at('list.tar')}`, all);
    await copy(`oci-archive:${at('list.tar')}`, `docker://${registry.host}/acme/list:2`, all);
    equal(await rawDigest(`docker://${registry.host}/acme/list:2`, [plain]), digest);
  });
});

const isConfig = ({ mediaType }: BuiltBlob): boolean => mediaType.includes('.config.');

/** What a machine would run: all but when and by whom it was made. */
function filesOf(config: string | undefined): unknown {
  const {
    architecture,
    os,
    rootfs,
    config: run,
  } = JSON.parse(config ?? '{}') as Record<string, unknown>;
  return { architecture, os, rootfs, run };
}
