/** Images become in another form what skopeo makes of them: the same bytes, so the same digests. */
import { deepEqual } from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';

import { createCopier } from '../../src/copy/copier.ts';
import { createTransfers } from '../../src/copy/run.ts';
import { ALL } from '../../src/copy/select.ts';
import { shaped, type Choice, type Shape } from '../../src/copy/shape.ts';
import { digestOf } from '../../src/image/digest.ts';
import type { ManifestForm } from '../../src/image/media-types.ts';
import { signedPayload } from '../../src/image/schema1.ts';
import { image, index, layer, type BuiltBlob, type BuiltImage } from '../support/images.ts';
import { MemoryRepository } from '../support/memory-image.ts';
import { readDir, writeDir } from '../support/skopeo-dir.ts';
import { skopeo } from '../support/skopeo.ts';
import { tempDir } from '../support/temp-dir.ts';

const FORMS: readonly [ManifestForm, string][] = [
  ['oci', 'oci'],
  ['docker', 'v2s2'],
  ['schema1', 'v2s1'],
];
const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM = { os: 'linux', architecture: 'arm', variant: 'v7' };
const signal = new AbortController().signal;

/** What docker and others write into configs that is not the same in every form. */
const EVERYTHING = {
  created: '2024-05-06T07:08:09.340Z',
  author: 'A & B <ab@example.test>',
  docker_version: '20.10.5',
  container: 'abc',
  config: {
    Hostname: 'h',
    User: 'u',
    Labels: { b: '1', a: 'é\u2028"', 10: 'x', 2: 'y' },
    Healthcheck: { Test: ['CMD', 'true'] },
    ArgsEscaped: true,
    StopSignal: 'SIGINT',
    Env: ['A=<b>'],
    Cmd: null,
    Entrypoint: ['e'],
    Volumes: { '/v': {}, '/a': {} },
    ExposedPorts: { '80/tcp': {}, '443/tcp': {} },
    WorkingDir: '/w',
    OnBuild: [],
  },
  history: [
    { created: '2024-01-01T00:00:00+02:00', created_by: 'a && b', comment: 'c', author: 'd' },
    { created: '2024-01-01T00:00:01.5Z', created_by: 'ENV <x>', empty_layer: true },
    { created_by: 'no time' },
    { created: '2024-01-01T00:00:02Z', created_by: 'CMD', empty_layer: true },
  ],
};

function index2(mediaTypes: 'oci' | 'docker'): BuiltImage {
  const entries = [AMD64, ARM].map((platform) => ({
    image: image({ seed: platform.architecture, mediaTypes, platform }),
    platform,
  }));
  return index(entries, { mediaTypes });
}

const IMAGES: Readonly<Record<string, BuiltImage>> = {
  'an OCI image': image({ mediaTypes: 'oci' }),
  'a Docker image': image({ mediaTypes: 'docker' }),
  'an OCI image with a full config': image({ mediaTypes: 'oci', config: EVERYTHING }),
  'a Docker image with a full config': image({
    mediaTypes: 'docker',
    config: EVERYTHING,
    platform: ARM,
  }),
  'an OCI image with plain layers': image({ layers: [plainLayer('oci')] }),
  'a Docker image with plain layers': image({
    layers: [plainLayer('docker'), layer({ seed: 'gzip', mediaTypes: 'docker' })],
    mediaTypes: 'docker',
  }),
  'an OCI image with annotations': annotated(image({ seed: 'annotated' })),
  'an OCI index': index2('oci'),
  'a Docker list': index2('docker'),
};

function plainLayer(mediaTypes: 'oci' | 'docker'): BuiltBlob {
  const { bytes } = layer({ seed: 'plain' });
  const tar = gunzipSync(bytes);
  const mediaType =
    mediaTypes === 'oci'
      ? 'application/vnd.oci.image.layer.v1.tar'
      : 'application/vnd.docker.image.rootfs.diff.tar';
  return { mediaType, digest: digestOf(tar), bytes: tar };
}

/** With annotations at each place that can have them. */
function annotated(built: BuiltImage): BuiltImage {
  const json = JSON.parse(String(built.root.bytes)) as { config: object; layers: object[] };
  const annotations = { 'b.test/x': '<2>', 'a.test/y': '1' };
  const layers = json.layers.map((one) => ({ ...one, annotations }));
  const config = { ...json.config, annotations };
  const bytes = Buffer.from(JSON.stringify({ ...json, config, layers, annotations }));
  return { ...built, root: { ...built.root, bytes, digest: digestOf(bytes), size: bytes.length } };
}

const FIXTURES = resolve('../shared/fixtures/images/skopeo');
const FIXTURE_NAMES = existsSync(FIXTURES)
  ? ['dir-uncompressed-image-s1', 'dir-uncompressed-image-s2']
  : [];

async function ours(source: MemoryRepository, asked: Partial<Shape>): Promise<MemoryRepository> {
  await using dir = await tempDir();
  const shape = { choice: ALL as Choice, preserveDigests: false, tmpdir: dir.path, ...asked };
  await using from = await shaped(source.source('latest'), shape, signal);
  const target = new MemoryRepository('memory.test/target');
  const settings = { transfers: createTransfers(), selection: ALL, referrers: 'none' } as const;
  await createCopier(settings)({ source: from, sink: target.sink('latest'), signal });
  return target;
}

/** Manifests without their signatures, which differ each time. */
function contentOf({ manifests, blobs, tags }: MemoryRepository): object {
  return {
    root: tags.get('latest'),
    manifests: [...manifests]
      .map(([digest, { bytes }]) => [
        digest,
        Buffer.from(signedPayload(bytes) ?? bytes).toString('utf8'),
      ])
      .toSorted(),
    blobs: [...blobs.keys()].toSorted(),
  };
}

describe('an image in another form', () => {
  for (const [form, format] of FORMS) {
    for (const [name, built] of Object.entries(IMAGES)) {
      it(`${name} as ${format} is what skopeo makes of it`, async () => {
        await using dir = await tempDir();
        const [given, made] = [join(dir.path, 'given'), join(dir.path, 'made')];
        await writeDir(given, built);
        await skopeo(['copy', '--all', '--format', format, `dir:${given}`, `dir:${made}`]);

        const target = await ours(await readDir(given), { form });

        deepEqual(contentOf(target), contentOf(await readDir(made)));
      });
    }
    for (const name of FIXTURE_NAMES) {
      it(`skopeo's own ${name} as ${format} is what skopeo makes of it`, async () => {
        await using dir = await tempDir();
        const given = join(FIXTURES, name);
        await skopeo(['copy', '--format', format, `dir:${given}`, `dir:${dir.path}/made`]);

        const target = await ours(await readDir(given), { form });

        deepEqual(contentOf(target), contentOf(await readDir(join(dir.path, 'made'))));
      });
    }
  }
});
