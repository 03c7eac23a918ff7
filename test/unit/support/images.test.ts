import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';

import { artifact, cosignSignature, image, index, layer } from '../../support/images.ts';
import { digestOf } from '../../support/registry/store.ts';

interface Parsed {
  readonly rootfs: { readonly diff_ids: string[] };
  readonly manifests: { readonly digest: string; readonly annotations?: Record<string, string> }[];
}

function parse(bytes: Buffer | undefined): Parsed {
  return JSON.parse(String(bytes)) as Parsed;
}

describe('images', () => {
  it('have constant digests', () => {
    const built = [
      image(),
      image({ mediaTypes: 'docker' }),
      index([{ image: image() }], { attestations: true }),
      artifact({ artifactType: 'text/plain', subject: image().root }),
      cosignSignature(image().root.digest),
    ];
    deepEqual(
      built.map(({ root }) => root.digest),
      [
        'sha256:085b71930da0e5c52a694966c1dab600096614513116d67a0051e0662ebb1933',
        'sha256:e39461185815ff8f1ee4fe61fe02a66acfa8e77954a18567d2ef745862671f6d',
        'sha256:ac873db56194af13fe8003fe7c26f5a47ca9d36fd7c5c3fbc874badc27e66ce8',
        'sha256:7b47f4fd94f15ce4d547e8df5bda14361be8c49eb8cd7539672b044bf63cebb3',
        'sha256:50acf403f6b920886e9f8f7bdd68775ff042b4db189ffa8f02f8b1d93d507ab8',
      ],
    );
  });

  it('share the layers they are given', () => {
    const base = layer({ seed: 'base' });
    const a = image({ seed: 'a', layers: [base, layer({ seed: 'a' })] });
    const b = image({ seed: 'b', layers: [base, layer({ seed: 'b' })] });

    const inB = new Set(b.blobs.map(({ digest }) => digest));
    deepEqual(
      a.blobs.filter(({ digest }) => inB.has(digest)),
      [base],
    );
  });

  it('have diff ids that are true', () => {
    const [config, one, two] = image({ layerBytes: 100_000 }).blobs;
    const digests = [one, two].map((blob) => digestOf(gunzipSync(blob?.bytes ?? '')));
    deepEqual(parse(config?.bytes).rootfs.diff_ids, digests);
  });

  it('are attested to as by BuildKit', () => {
    const child = image();
    const { root, manifests } = index([{ image: child }], { attestations: true });

    const [, attestation] = parse(root.bytes).manifests;

    equal(attestation?.annotations?.['vnd.docker.reference.digest'], child.root.digest);
    deepEqual(
      manifests.map(({ digest }) => digest),
      [child.root.digest, attestation?.digest],
    );
  });
});
