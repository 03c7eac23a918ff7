import { deepEqual, equal, notEqual, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { withChildren } from '../../../src/image/convert-index.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { childrenOf, readManifest } from '../../../src/image/manifest.ts';
import { DOCKER_LIST, OCI_INDEX } from '../../../src/image/media-types.ts';
import { image, index } from '../../support/images.ts';

const A = image({ seed: 'a' });
const B = image({ seed: 'b' });

function read({ root }: { root: { bytes: Buffer; mediaType: string } }) {
  return readManifest(root.bytes, root.mediaType);
}

describe('withChildren', () => {
  it('gives the same bytes when every child is kept', () => {
    const spaced = Buffer.from(`  ${String(index([{ image: A }]).root.bytes)}\n`);
    const stored = readManifest(spaced, OCI_INDEX);

    equal(
      withChildren(stored, () => true),
      stored,
    );
  });

  it('keeps what is wanted, in order, and is named anew', () => {
    const stored = read(index([{ image: A }, { image: B }], { mediaTypes: 'docker' }));

    const written = withChildren(stored, ({ digest }) => digest === B.root.digest);

    deepEqual(
      childrenOf(written.manifest).map(({ digest }) => digest as string),
      [B.root.digest],
    );
    equal(written.descriptor.digest, digestOf(written.bytes));
    equal(written.descriptor.mediaType, DOCKER_LIST);
    notEqual(written.descriptor.digest, stored.descriptor.digest);
  });

  it('keeps all else as it was, known to us or not', () => {
    const json = JSON.parse(String(index([{ image: A }, { image: B }]).root.bytes)) as {
      manifests: object[];
    };
    const manifests = json.manifests.map((entry) => ({ ...entry, 'x-entry': [1] }));
    const bytes = Buffer.from(
      JSON.stringify({ 'x-first': 1, ...json, manifests, annotations: { a: 'é' } }),
    );

    const written = withChildren(
      readManifest(bytes, OCI_INDEX),
      ({ digest }) => digest === A.root.digest,
    );

    deepEqual(JSON.parse(Buffer.from(written.bytes).toString()), {
      'x-first': 1,
      ...json,
      manifests: [manifests[0]],
      annotations: { a: 'é' },
    });
  });

  it('goes by the place in the list, not by the digest', () => {
    const platform = { os: 'linux', architecture: 'amd64' };
    const stored = read(index([{ image: A }, { image: A, platform }]));

    const written = withChildren(stored, (child) => child.platform !== undefined);

    deepEqual(
      childrenOf(written.manifest).map((child) => child.platform),
      [platform],
    );
  });

  it('refuses an image', () => {
    throws(() => withChildren(read(A), () => false), { code: 'PROTOCOL' });
  });
});
