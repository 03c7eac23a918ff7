import { deepEqual, equal, match, notEqual, throws } from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';

import { convertImage, type ConvertedImage, type ImageParts } from '../../../src/image/convert.ts';
import type { Descriptor } from '../../../src/image/descriptor.ts';
import { digestOf, parseDigest, type Digest } from '../../../src/image/digest.ts';
import { readManifest, type StoredManifest } from '../../../src/image/manifest.ts';
import {
  DOCKER_SCHEMA1,
  DOCKER_SCHEMA1_SIGNED,
  type ManifestForm,
} from '../../../src/image/media-types.ts';
import { signedPayload } from '../../../src/image/schema1.ts';
import { artifact, image, type BuiltImage } from '../../support/images.ts';

const FULL = {
  docker_version: '20.10.5',
  config: { Labels: { b: '1', a: '<é>' }, Healthcheck: { Test: ['x'] }, Cmd: ['sh'] },
  history: [
    { created: '2024-01-01T00:00:00.5Z', created_by: 'ADD a' },
    { created: '2024-01-01T00:00:01Z', created_by: 'ENV x', empty_layer: true },
    { created: '2024-01-01T00:00:02Z', created_by: 'ADD b', author: 'me', comment: 'why' },
  ],
};

function stored({ root }: BuiltImage): StoredManifest {
  return readManifest(root.bytes, root.mediaType);
}

function partsOf(built: BuiltImage): ImageParts {
  const { manifest } = stored(built);
  if (manifest.kind !== 'image') throw new Error('no image');
  const config = built.blobs.find(({ digest }) => digest === manifest.config?.digest)?.bytes;
  return { config, layers: manifest.layers };
}

function jsonOf(bytes: Uint8Array): Record<string, unknown> {
  return JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<string, unknown>;
}

/** A layer of schema 1, which does not say its size. */
function sized(layer: Descriptor, size: number): Descriptor {
  return { ...layer, size };
}

/** Converts what came of a conversion. */
function again(made: ConvertedImage, form: ManifestForm, before: ImageParts): ConvertedImage {
  const { manifest } = made.stored;
  if (manifest.kind !== 'image') throw new Error('no image');
  const own = manifest.config && made.blobs.get(manifest.config.digest);
  return convertImage(made.stored, form, {
    ...before,
    config: own ?? before.config,
    layers: manifest.layers.map((layer, at) => before.layers[at] ?? layer),
  });
}

describe('an image in its own form', () => {
  it('is itself', () => {
    const built = image();
    const own = stored(built);

    equal(convertImage(own, 'oci', partsOf(built)).stored, own);
  });

  it('keeps all but the layers that are others', () => {
    const built = image();
    const bytes = Buffer.from(
      JSON.stringify({ ...jsonOf(built.root.bytes), annotations: { a: 'b' }, 'x-own': 1 }),
    );
    const own = readManifest(bytes, built.root.mediaType);
    const [first, second] = partsOf(built).layers;
    if (first === undefined || second === undefined) throw new Error('no layers');
    const mediaType = 'application/vnd.oci.image.layer.v1.tar';
    const other = { ...first, mediaType, digest: digestOf(Buffer.from('x')), size: 1 };

    const made = convertImage(own, 'oci', { config: undefined, layers: [other, second] });

    const before = jsonOf(bytes) as { layers: object[] };
    deepEqual(jsonOf(made.stored.bytes), { ...before, layers: [{ ...other }, before.layers[1]] });
    equal(made.stored.descriptor.digest, digestOf(made.stored.bytes));
  });
});

describe('docker and oci', () => {
  it('come back to the same bytes where nothing was lost', () => {
    for (const mediaTypes of ['oci', 'docker'] as const) {
      const built = image({ mediaTypes, layers: 3 });
      const parts = partsOf(built);
      const first = convertImage(stored(built), mediaTypes === 'oci' ? 'docker' : 'oci', parts);
      const there = again(first, mediaTypes, parts);
      const back = again(
        again(there, mediaTypes === 'oci' ? 'docker' : 'oci', parts),
        mediaTypes,
        parts,
      );

      deepEqual(Buffer.from(back.stored.bytes), Buffer.from(there.stored.bytes));
      deepEqual(jsonOf(there.stored.bytes)['layers'], jsonOf(built.root.bytes)['layers']);
    }
  });

  it('keep annotations and subject where there is a place for them', () => {
    const built = image({ mediaTypes: 'docker' });
    const annotations = { b: '2', a: '1' };
    const given = readManifest(
      Buffer.from(JSON.stringify({ ...jsonOf(built.root.bytes), annotations })),
      built.root.mediaType,
    );

    const oci = convertImage(given, 'oci', partsOf(built));
    const docker = again(oci, 'docker', partsOf(built));

    deepEqual(oci.stored.manifest.annotations, annotations);
    equal(docker.stored.manifest.annotations, undefined);
  });
});

describe('docker and oci, when one lacks what the other has', () => {
  it('name a layer of a type that the form does not have', () => {
    const built = image();
    for (const [mediaType, said] of [
      [
        'application/vnd.in-toto+json',
        /layer sha256:[0-9a-f]+ is "application\/vnd.in-toto\+json"/,
      ],
      [
        'application/vnd.oci.image.layer.v1.tar+zstd',
        /compressed with zstd.*--dest-compress-format gzip/,
      ],
    ] as const) {
      const { config, layers } = partsOf(built);
      const others = layers.map((layer) => Object.assign({}, layer, { mediaType }));

      throws(() => convertImage(stored(built), 'docker', { config, layers: others }), {
        code: 'UNSUPPORTED',
        message: said,
      });
    }
  });

  it('do not share artifacts', () => {
    const built = artifact({ artifactType: 'application/spdx+json' });

    for (const form of ['docker', 'schema1'] as const) {
      throws(() => convertImage(stored(built), form, partsOf(built)), {
        code: 'UNSUPPORTED',
        message: /is an artifact \(application\/spdx\+json\)/,
      });
    }
  });

  it('refuse a config that is none', () => {
    const built = image({ mediaTypes: 'docker' });
    for (const text of ['', '[]', '{"created":7,"a":']) {
      const parts = { ...partsOf(built), config: Buffer.from(text) };

      throws(() => convertImage(stored(built), 'oci', parts), { code: 'PROTOCOL' });
    }
    const deep = `{"config":{"Env":${'['.repeat(10_000)}${']'.repeat(10_000)}}}`;
    const parts = { ...partsOf(built), config: Buffer.from(deep) };
    throws(() => convertImage(stored(built), 'oci', parts), { code: 'PROTOCOL' });
  });
});

const FULL_IMAGE = image({ mediaTypes: 'docker', config: FULL });
const parts = partsOf(FULL_IMAGE);
const OLD = convertImage(stored(FULL_IMAGE), 'schema1', {
  ...parts,
  name: { path: 'a/b', tag: 'v1' },
});

describe('schema 1', () => {
  it('has a layer for each step, newest first, and calls itself as it is told', () => {
    const json = jsonOf(OLD.stored.bytes) as { fsLayers: { blobSum: string }[] };
    const empty = 'sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4';
    const [lower, upper] = parts.layers.map(({ digest }) => String(digest));

    deepEqual([json['name' as never], json['tag' as never]], ['a/b', 'v1']);
    deepEqual(
      json.fsLayers.map(({ blobSum }) => blobSum),
      [upper, empty, lower],
    );
    deepEqual([...OLD.blobs.keys()].map(String), [empty]);
    equal(digestOf(OLD.blobs.get(empty as Digest) ?? Buffer.of()), empty);
  });

  it('is signed, and its digest is of what was signed', () => {
    const { bytes, descriptor } = OLD.stored;
    const payload = signedPayload(bytes) ?? Buffer.of();
    const [signature] = jsonOf(bytes)['signatures'] as {
      header: { jwk: { crv: string; kid: string; kty: string; x: string; y: string } };
      protected: string;
      signature: string;
    }[];
    if (signature === undefined) throw new Error('not signed');
    const key = createPublicKey({ format: 'jwk', key: signature.header.jwk });
    const text = `${signature.protected}.${Buffer.from(payload).toString('base64url')}`;
    const { jwk } = signature.header;

    equal(descriptor.mediaType, DOCKER_SCHEMA1_SIGNED);
    equal(descriptor.digest, digestOf(payload));
    notEqual(descriptor.digest, digestOf(bytes));
    match(jwk.kid, /^([A-Z2-7]{4}:){11}[A-Z2-7]{4}$/);
    equal(
      verify(
        'sha256',
        Buffer.from(text),
        { key, dsaEncoding: 'ieee-p1363' },
        Buffer.from(signature.signature, 'base64url'),
      ),
      true,
    );
  });
});

describe('schema 1, made of an image', () => {
  it('becomes again what it was made of', () => {
    const diffIds = new Map(
      OLD.stored.manifest.kind === 'image'
        ? OLD.stored.manifest.layers.map(({ digest }) => [digest, digest] as const)
        : [],
    );
    const listed = OLD.stored.manifest.kind === 'image' ? OLD.stored.manifest.layers : [];
    const layers = listed.map((layer) =>
      sized(layer, parts.layers.find(({ digest }) => digest === layer.digest)?.size ?? 32),
    );

    const docker = convertImage(OLD.stored, 'docker', { config: undefined, layers, diffIds });

    const { manifest } = docker.stored;
    if (manifest.kind !== 'image' || manifest.config === undefined) throw new Error('no image');
    deepEqual(manifest.layers, parts.layers);
    const config = jsonOf(docker.blobs.get(manifest.config.digest) ?? Buffer.of());
    const given = jsonOf(parts.config ?? Buffer.of());
    const rootfs = { type: 'layers', diff_ids: parts.layers.map(({ digest }) => digest) };
    deepEqual({ ...config, history: 0 }, { ...given, rootfs, history: 0 });
    const [first, second] = config['history'] as object[];
    deepEqual([first, second], FULL.history.slice(0, 2));
  });
});

describe('schema 1 that is not as it should be', () => {
  it('is refused when it is malformed', () => {
    const id = 'a'.repeat(64);
    const blobSum = digestOf(Buffer.from('x'));
    const piece = (value: object) => ({ v1Compatibility: JSON.stringify(value) });
    const broken: [object[], object[]][] = [
      [[], []],
      [[{ blobSum }], []],
      [[{ blobSum }], [{ v1Compatibility: '{' }]],
      [[{ blobSum }], [piece({ id: '../x' })]],
      [[{ blobSum }], [piece({ id, parent: id })]],
      [
        [{ blobSum }, { blobSum }],
        [piece({ id }), piece({ id: 'b'.repeat(64) })],
      ],
    ];
    for (const [fsLayers, history] of broken) {
      const bytes = Buffer.from(JSON.stringify({ schemaVersion: 1, fsLayers, history }));
      const given = readManifest(bytes, DOCKER_SCHEMA1);

      throws(() => convertImage(given, 'docker', { config: undefined, layers: [] }), {
        code: 'PROTOCOL',
      });
    }
  });

  it('can not be made without history that fits the layers', () => {
    for (const [history, code] of [
      [[], 'UNSUPPORTED'],
      [[{}], 'PROTOCOL'],
      [[{}, {}, {}], 'PROTOCOL'],
    ] as const) {
      const config = Buffer.from(JSON.stringify({ history }));

      throws(() => convertImage(stored(FULL_IMAGE), 'schema1', { ...parts, config }), { code });
    }
  });
});

describe('what is signed', () => {
  it('is what is read: what was put between is not', () => {
    const made = convertImage(stored(image()), 'schema1', partsOf(image()));
    const text = Buffer.from(made.stored.bytes).toString('utf8');
    const evil = digestOf(Buffer.from('evil'));
    const changed = text.replace(
      '"signatures":',
      `"fsLayers":[{"blobSum":"${evil}"}],"signatures":`,
    );

    const read = readManifest(Buffer.from(changed), DOCKER_SCHEMA1_SIGNED);

    deepEqual(read.manifest, made.stored.manifest);
    equal(read.descriptor.digest, made.stored.descriptor.digest);
  });

  it('must be schema 1', () => {
    const layers = '{"layers":[]}';
    const head = {
      formatLength: layers.length - 1,
      formatTail: Buffer.from('}').toString('base64url'),
    };
    const signature = { protected: Buffer.from(JSON.stringify(head)).toString('base64url') };
    const text = `{"layers":[],"fsLayers":[],"signatures":[${JSON.stringify(signature)}]}`;

    throws(() => readManifest(Buffer.from(text), undefined), { code: 'PROTOCOL' });
  });
});

/** What containers-libs test themselves with; beside the project where it is developed, else absent. */
const FIXTURES = resolve('../shared/fixtures/images/container-libs/image-conversion');
const read = (name: string): Buffer => readFileSync(join(FIXTURES, name));

/** What is given, its config, the form, what it becomes, the config of that. */
const CONVERSIONS: [string, string, ManifestForm, string, string?][] = [
  ['oci1.json', 'oci1-config.json', 'docker', 'oci1-to-schema2.json'],
  [
    'schema2.json',
    'schema2-config.json',
    'oci',
    'schema2-to-oci1.json',
    'schema2-to-oci1-config.json',
  ],
  [
    'schema2-all-media-types.json',
    'schema2-config.json',
    'oci',
    'schema2-all-media-types-to-oci1.json',
  ],
];

describe('the fixtures of container-libs', { skip: !existsSync(FIXTURES) }, () => {
  for (const [from, config, form, to, toConfig] of CONVERSIONS) {
    it(`${from} becomes ${to}`, () => {
      const given = readManifest(read(from), undefined);
      const layers = given.manifest.kind === 'image' ? given.manifest.layers : [];

      const made = convertImage(given, form, { config: read(config), layers });

      const expected = jsonOf(read(to)) as { config: object };
      const actual = jsonOf(made.stored.bytes) as { config: object };
      deepEqual({ ...actual, config: 0 }, { ...expected, config: 0 });
      const [bytes] = made.blobs.values();
      if (toConfig !== undefined) deepEqual(jsonOf(bytes ?? Buffer.of()), jsonOf(read(toConfig)));
    });
  }

  it('zstd is no word of Docker', () => {
    const given = readManifest(read('oci1-all-media-types.json'), undefined);
    const layers = given.manifest.kind === 'image' ? given.manifest.layers : [];
    const config = read('oci1-all-media-types-config.json');

    throws(() => convertImage(given, 'docker', { config, layers }), { code: 'UNSUPPORTED' });
  });

  it('schema2.json becomes what docker made of it', () => {
    const given = readManifest(read('schema2.json'), undefined);
    const layers = given.manifest.kind === 'image' ? given.manifest.layers : [];
    const name = { path: 'library/httpd-copy', tag: 'latest' };

    const made = convertImage(given, 'schema1', {
      config: read('schema2-config.json'),
      layers,
      name,
    });

    const expected = jsonOf(read('schema2-to-schema1-by-docker.json'));
    deepEqual({ ...jsonOf(made.stored.bytes), signatures: 0 }, { ...expected, signatures: 0 });
  });

  for (const [form, to, toConfig] of [
    ['docker', 'schema1-to-schema2.json', 'schema1-to-schema2-config.json'],
    ['oci', 'schema1-to-oci1.json', 'schema1-to-oci1-config.json'],
  ] as const) {
    it(`schema1.json becomes ${to}`, () => {
      const given = readManifest(unsigned(read('schema1.json')), DOCKER_SCHEMA1);
      const expected = jsonOf(read(to)) as { layers: { size: number; digest: string }[] };
      const { rootfs } = jsonOf(read(toConfig)) as { rootfs: { diff_ids: string[] } };
      const listed = given.manifest.kind === 'image' ? given.manifest.layers : [];
      const layers = listed.map((layer, at) => sized(layer, expected.layers[at]?.size ?? 0));
      const diffIds = new Map(
        layers.map(({ digest }, at) => [digest, parseDigest(rootfs.diff_ids[at] ?? '')] as const),
      );

      const made = convertImage(given, form, { config: undefined, layers, diffIds });

      const actual = jsonOf(made.stored.bytes);
      deepEqual({ ...actual, config: 0 }, { ...expected, config: 0 });
      const { manifest } = made.stored;
      const config = manifest.kind === 'image' ? manifest.config : undefined;
      deepEqual(
        jsonOf(made.blobs.get(config?.digest as Digest) ?? Buffer.of()),
        jsonOf(read(toConfig)),
      );
    });
  }
});

/** The fixture was changed after it was signed. */
function unsigned(bytes: Buffer): Buffer {
  return Buffer.from(JSON.stringify({ ...jsonOf(bytes), signatures: undefined }));
}
