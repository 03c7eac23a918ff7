/** The images that command lines of the table start from. Pushed once, only read from then on. */
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';

import {
  artifact,
  descriptorOf,
  image,
  index,
  layer,
  type BuiltBlob,
  type BuiltImage,
  type Family,
} from '../../support/images.ts';

const PLATFORMS = [
  { os: 'linux', architecture: 'amd64' },
  { os: 'linux', architecture: 'arm64', variant: 'v8' },
  { os: 'linux', architecture: 'arm', variant: 'v7' },
] as const;

function list(seed: string, mediaTypes: Family, attestations = false): BuiltImage {
  const entries = PLATFORMS.map((platform) => ({
    platform,
    image: image({ seed: `${seed}/${platform.architecture}`, mediaTypes, platform }),
  }));
  return index(entries, { mediaTypes, attestations });
}

const ALIEN = { os: 'amigaos', architecture: 'mc68000', variant: '1000' } as const;

/** `REPOSITORY:TAG` below `seed/` → image. */
export function seeds(): Readonly<Record<string, BuiltImage>> {
  const v1 = image({ seed: 'v1', mediaTypes: 'docker' });
  return {
    'docker:latest': v1,
    'docker:v1': v1,
    'docker:v2': image({ seed: 'v2', mediaTypes: 'docker', layers: 3 }),
    'oci:latest': image({ seed: 'oci' }),
    'multi:latest': list('multi', 'docker'),
    'index:latest': list('index', 'oci'),
    'attested:latest': list('attested', 'oci', true),
    'alien:latest': index([{ image: image({ seed: 'alien', platform: ALIEN }), platform: ALIEN }]),
    'artifact:latest': artifact({ artifactType: 'application/vnd.test.thing' }),
    'rich:latest': rich(),
    'plain:latest': image({ seed: 'plain', layers: [plainLayer('plain')] }),
    'empty:latest': image({ seed: 'empty', layers: 0 }),
    'many:v1.0.0': v1,
    'many:v1.2.0': v1,
    'many:v1.10.0': v1,
    'many:v2.0.0-rc.1': v1,
    'many:latest': v1,
    'many:A_b.c-d': v1,
    'tree/one:a': image({ seed: 'tree-a', mediaTypes: 'docker' }),
    'tree/one:b': image({ seed: 'tree-b', mediaTypes: 'docker' }),
    'tree/two:a': list('tree-list', 'docker'),
    'other/one:a': image({ seed: 'other-a' }),
  };
}

function plainLayer(seed: string): BuiltBlob {
  const bytes = gunzipSync(layer({ seed }).bytes);
  const mediaType = 'application/vnd.oci.image.layer.v1.tar';
  return { mediaType, digest: digestOf(bytes), bytes };
}

/** An image in whose configuration everything is set. */
function rich(): BuiltImage {
  const stack = [layer({ seed: 'rich', mediaTypes: 'docker' })];
  const created = '2023-05-06T07:08:09.123456789Z';
  const bytes = Buffer.from(
    JSON.stringify({
      architecture: 'arm64',
      variant: 'v8',
      os: 'linux',
      author: 'Ann <ann@example.test> & Co',
      container: 'c'.repeat(64),
      docker_version: '20.10.21',
      created,
      config: {
        User: 'app:app',
        ExposedPorts: { '80/tcp': {} },
        Env: ['PATH=/bin', 'A=b=c', 'EMPTY='],
        Entrypoint: ['/bin/app'],
        Cmd: ['--help'],
        Volumes: { '/data': {} },
        WorkingDir: '/w',
        Labels: { name: 'rich', 'b.label': '2', 'a.label': 'é <&> "q"', zero: '' },
        StopSignal: 'SIGTERM',
        OnBuild: ['RUN true'],
      },
      history: [
        { created, created_by: 'ADD x' },
        { created, created_by: 'ENV A=b', empty_layer: true, comment: 'none', author: 'Ann' },
      ],
      rootfs: { type: 'layers', diff_ids: stack.map(({ bytes: b }) => digestOf(gunzipSync(b))) },
    }),
  );
  const mediaType = 'application/vnd.docker.container.image.v1+json';
  const config: BuiltBlob = { mediaType, digest: digestOf(bytes), bytes };
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
      config: descriptorOf(config),
      layers: stack.map(descriptorOf),
    }),
  );
  const root = {
    mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
    digest: digestOf(manifest),
    size: manifest.length,
    bytes: manifest,
  };
  return { root, manifests: [], blobs: [config, ...stack] };
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
