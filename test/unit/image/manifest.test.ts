import { deepEqual, equal, match, throws } from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';

import { digestOf } from '../../../src/image/digest.ts';
import { childrenOf, readManifest } from '../../../src/image/manifest.ts';
import {
  DOCKER_LIST,
  DOCKER_MANIFEST,
  DOCKER_SCHEMA1,
  DOCKER_SCHEMA1_SIGNED,
  OCI_ARTIFACT,
  OCI_INDEX,
  OCI_MANIFEST,
} from '../../../src/image/media-types.ts';
import { artifact, image, index } from '../../support/images.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const CONFIG = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: DIGEST, size: 7 };
const DOCKER_CONFIG = { ...CONFIG, mediaType: 'application/vnd.docker.container.image.v1+json' };
const LAYER = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: DIGEST, size: 9 };
const CHILD = { mediaType: OCI_MANIFEST, digest: DIGEST, size: 3 };
const DOCKER_CHILD = { ...CHILD, mediaType: DOCKER_MANIFEST };
const IMAGE = { schemaVersion: 2, config: CONFIG, layers: [LAYER] };
const INDEX = { schemaVersion: 2, manifests: [CHILD] };

function read(json: unknown, contentType?: string) {
  return readManifest(Buffer.from(JSON.stringify(json)), contentType);
}

/** What it shows, the manifest, its Content-Type, what it is taken for. */
const TYPES: [string, object, string | undefined, string, 'image' | 'index'][] = [
  ['the type it is served as', IMAGE, OCI_MANIFEST, OCI_MANIFEST, 'image'],
  [
    'a type with parameters, in any case',
    INDEX,
    `${OCI_INDEX.toUpperCase()}; charset=utf-8`,
    OCI_INDEX,
    'index',
  ],
  [
    'its own type when served as JSON',
    { ...IMAGE, mediaType: DOCKER_MANIFEST },
    'application/json',
    DOCKER_MANIFEST,
    'image',
  ],
  [
    'its own type when served as nothing',
    { ...INDEX, mediaType: DOCKER_LIST },
    undefined,
    DOCKER_LIST,
    'index',
  ],
  ['an empty own type as none', { ...IMAGE, mediaType: '' }, OCI_MANIFEST, OCI_MANIFEST, 'image'],
  ['the shape of an image', IMAGE, 'text/plain', OCI_MANIFEST, 'image'],
  ['the shape of an index', INDEX, 'text/plain', OCI_INDEX, 'index'],
  [
    "the config of Docker's image",
    { ...IMAGE, config: DOCKER_CONFIG },
    'text/plain',
    DOCKER_MANIFEST,
    'image',
  ],
  [
    "the children of Docker's list",
    { manifests: [DOCKER_CHILD] },
    'text/plain',
    DOCKER_LIST,
    'index',
  ],
  [
    'the shape of an index of unknown type',
    { ...INDEX, mediaType: 'application/x' },
    'text/plain',
    'application/x',
    'index',
  ],
  [
    'an artifact manifest of 2022',
    { mediaType: OCI_ARTIFACT, blobs: [LAYER] },
    OCI_ARTIFACT,
    OCI_ARTIFACT,
    'image',
  ],
  [
    'an artifact manifest without content',
    { mediaType: OCI_ARTIFACT },
    OCI_ARTIFACT,
    OCI_ARTIFACT,
    'image',
  ],
  ['an empty index', { manifests: [] }, OCI_INDEX, OCI_INDEX, 'index'],
  ['an index whose list is null', { manifests: null }, OCI_INDEX, OCI_INDEX, 'index'],
  [
    'an image whose layers are null',
    { config: CONFIG, layers: null },
    OCI_MANIFEST,
    OCI_MANIFEST,
    'image',
  ],
];

/** What it shows, the manifest, its Content-Type. */
const REFUSED: [string, object, string?][] = [
  ['layers and manifests', { ...IMAGE, ...INDEX }, OCI_INDEX],
  ['layers and manifests, unnamed', { ...IMAGE, ...INDEX }],
  ['config and manifests', { config: CONFIG, ...INDEX }, OCI_MANIFEST],
  ['fsLayers and layers', { ...IMAGE, fsLayers: [] }, OCI_MANIFEST],
  ['an index served as an image', INDEX, OCI_MANIFEST],
  ['an image served as an index', IMAGE, OCI_INDEX],
  [
    'an image served as schema 2 that calls itself OCI',
    { ...IMAGE, mediaType: OCI_MANIFEST },
    DOCKER_MANIFEST,
  ],
  ['an image that calls itself an index', { ...IMAGE, mediaType: OCI_INDEX }, 'application/json'],
  ['an error that came with 200', { errors: [{ code: 'DENIED' }] }, 'application/json'],
  ['layers that are no list', { ...IMAGE, layers: {} }, OCI_MANIFEST],
  ['a config that is null', { ...IMAGE, config: null }, OCI_MANIFEST],
  ['a layer that is null', { ...IMAGE, layers: [null] }, OCI_MANIFEST],
  [
    'a layer without a type',
    { ...IMAGE, layers: [{ ...LAYER, mediaType: undefined }] },
    OCI_MANIFEST,
  ],
  ['a subject that is no descriptor', { ...IMAGE, subject: {} }, OCI_MANIFEST],
  [
    'more children than any index has',
    { manifests: Array.from({ length: 10_001 }, () => CHILD) },
    OCI_INDEX,
  ],
  [
    'more layers than any image has',
    { ...IMAGE, layers: Array.from({ length: 10_001 }, () => LAYER) },
    OCI_MANIFEST,
  ],
];

const DIGESTS = [
  'sha256:../../x',
  '',
  'sha256:',
  `sha256:${'A'.repeat(64)}`,
  `sha256:${'a'.repeat(63)}`,
  `sha256:${'a'.repeat(65)}`,
  `sha512:${'a'.repeat(64)}`,
  `md5:${'a'.repeat(32)}`,
  `sha256:${'a'.repeat(64)}\n`,
  `SHA256:${'a'.repeat(64)}`,
  `__proto__:${'a'.repeat(64)}`,
  7,
  null,
  undefined,
];
const SIZES = [-1, 2 ** 53, 1e300, '12', 1.5, null, undefined, true];

describe('readManifest', () => {
  for (const [shown, json, contentType, mediaType, kind] of TYPES) {
    it(`goes by ${shown}`, () => {
      const { descriptor, manifest } = read(json, contentType);

      deepEqual([descriptor.mediaType, manifest.kind], [mediaType, kind]);
    });
  }

  for (const [shown, json, contentType] of REFUSED) {
    it(`refuses ${shown}`, () => {
      throws(() => read(json, contentType), { code: 'PROTOCOL' });
    });
  }

  it('refuses digests that could lead elsewhere or can not be checked', () => {
    for (const digest of DIGESTS) {
      const json = { ...IMAGE, layers: [{ ...LAYER, digest }] };
      throws(() => read(json), { code: 'PROTOCOL' }, String(digest));
    }
  });

  it('refuses sizes that are none, and says where', () => {
    for (const size of SIZES) {
      const json = { ...IMAGE, layers: [LAYER, { ...LAYER, size }] };
      throws(() => read(json), { code: 'PROTOCOL', message: /layers\[1\]/ }, String(size));
    }
  });

  it('reads schema 1, whether it says so or only looks like it', () => {
    const fsLayers = [{ blobSum: LAYER.digest }];
    for (const contentType of [DOCKER_SCHEMA1_SIGNED, DOCKER_SCHEMA1, 'application/json']) {
      const { manifest, descriptor } = read({ schemaVersion: 1, fsLayers }, contentType);

      equal(descriptor.mediaType, DOCKER_SCHEMA1); // nobody has signed it
      deepEqual(
        childrenOf(manifest).map(({ digest, size }) => ({ digest: String(digest), size })),
        [{ digest: LAYER.digest, size: -1 }],
      );
    }
  });

  for (const text of ['', 'null', '[]', '"x"', '7', '{', '\u{feff}{"manifests":[]}', '<html>']) {
    it(`refuses ${JSON.stringify(text)}, which is no JSON object`, () => {
      throws(() => readManifest(Buffer.from(text), OCI_INDEX), { code: 'PROTOCOL' });
    });
  }

  it('refuses bytes that are no UTF-8', () => {
    throws(() => readManifest(Buffer.from('{"manifests":[],"x":"\xff"}', 'latin1'), OCI_INDEX), {
      code: 'PROTOCOL',
    });
  });
});

describe('what readManifest gives', () => {
  it('describes exactly the bytes it was given', () => {
    const { bytes, digest } = image().root;

    const stored = readManifest(bytes, OCI_MANIFEST);

    equal(stored.bytes, bytes);
    deepEqual(stored.descriptor, { mediaType: OCI_MANIFEST, digest, size: bytes.length });
  });

  it('describes them by the algorithm that was asked for', () => {
    const { bytes } = image().root;

    equal(readManifest(bytes, undefined, 'sha512').descriptor.digest, digestOf(bytes, 'sha512'));
  });

  it('keeps what a copy needs to know of a child, and drops what is of the wrong type', () => {
    const platform = { os: 'windows', architecture: 'amd64', 'os.version': '10.0.1', variant: '' };
    const child = {
      ...CHILD,
      platform,
      annotations: { a: 'b', c: 1 },
      urls: ['u', 7],
      artifactType: 'x/y',
    };

    const [first] = childrenOf(read({ manifests: [child] }).manifest);

    deepEqual(first, {
      ...CHILD,
      platform: { os: 'windows', architecture: 'amd64', osVersion: '10.0.1' },
      annotations: { a: 'b' },
      urls: ['u'],
      artifactType: 'x/y',
    });
  });

  it('reads a subject, which is no child', () => {
    const { root } = artifact({ artifactType: 'test/x', subject: image().root });

    const { manifest } = readManifest(root.bytes, root.mediaType);

    equal(manifest.subject?.digest, image().root.digest);
    equal(
      childrenOf(manifest).some(({ digest }) => digest === image().root.digest),
      false,
    );
    equal(manifest.artifactType, 'test/x');
  });
});

describe('childrenOf', () => {
  it('lists the config and the layers of an image', () => {
    const { root, blobs } = image({ layers: 3 });

    const children = childrenOf(readManifest(root.bytes, root.mediaType).manifest);

    deepEqual(
      children.map(({ digest }) => digest as string),
      blobs.map(({ digest }) => digest),
    );
  });

  it('lists the manifests of an index', () => {
    const { root, manifests } = index([
      { image: image({ seed: 'a' }) },
      { image: image({ seed: 'b' }) },
    ]);

    const children = childrenOf(readManifest(root.bytes, root.mediaType).manifest);

    deepEqual(
      children.map(({ digest }) => digest as string),
      manifests.map(({ digest }) => digest),
    );
  });
});

/** What other tools test themselves with; beside the project where it is developed, else absent. */
const FIXTURES = resolve('../shared/fixtures/images/container-libs/manifest-fixtures');
const FIXTURE_RESULTS: [string, string][] = [
  ['ociv1.everything.json', OCI_MANIFEST],
  ['ociv1.image.index.json', OCI_INDEX],
  ['ociv1.invalid.mediatype.manifest.json', OCI_MANIFEST],
  ['ociv1.nondistributable.zstd.manifest.json', OCI_MANIFEST],
  ['ociv1.encrypted.manifest.json', OCI_MANIFEST],
  ['ociv1nomime.image.index.json', OCI_INDEX],
  ['ociv1nomime.manifest.json', OCI_MANIFEST],
  ['v2list.manifest.json', DOCKER_LIST],
  ['v2s2.everything.json', DOCKER_MANIFEST],
  ['v2s2nomime.manifest.json', DOCKER_MANIFEST],
  ['v2s1.manifest.json', DOCKER_SCHEMA1_SIGNED],
  ['v2s1-unsigned.manifest.json', DOCKER_SCHEMA1],
  ['schema2-to-schema1-by-docker.json', 'PROTOCOL'], // changed after it was signed
  ['v2s1-invalid-signatures.manifest.json', 'PROTOCOL'],
  ['non-json.manifest.json', 'PROTOCOL'],
  ['unknown-version.manifest.json', 'PROTOCOL'],
  ['ociv1nomime.artifact.json', 'PROTOCOL'], // its config has the digest ''
];

describe('readManifest of the fixtures of container-libs', { skip: !existsSync(FIXTURES) }, () => {
  for (const [file, expected] of FIXTURE_RESULTS) {
    it(`reads ${file} as ${expected}`, () => {
      const bytes = readFileSync(join(FIXTURES, file));

      if (/^[A-Z]+$/.test(expected))
        throws(() => readManifest(bytes, undefined), { code: expected });
      else equal(readManifest(bytes, undefined).descriptor.mediaType, expected);
    });
  }

  it('names what is wrong', () => {
    throws(
      () => read({ errors: [] }),
      (error: Error) => {
        match(error.message, /no manifest/);
        return true;
      },
    );
  });
});
