/** What every ImageSource must do, whatever the transport. */
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { digestOf, parseDigest } from '../../src/image/digest.ts';
import { readManifest } from '../../src/image/manifest.ts';
import type { ImageSource } from '../../src/image/source-and-sink.ts';
import { streamOf } from '../support/blob-bytes.ts';
import { collect } from '../support/collect.ts';
import { image, index, type BuiltImage } from '../support/images.ts';

/** A place that holds an image under a tag. */
export interface SourcePlace extends AsyncDisposable {
  /** Opens the image of that tag; or of another. */
  open(tag?: string): ImageSource;
  /** Changes the bytes of a blob behind the transport's back. */
  damage(digest: string, bytes: Buffer): void;
}

const { signal } = new AbortController();
const CHILD = image({ seed: 'child', layerBytes: 100_000 });
const INDEX = index([{ image: CHILD }]);
const { descriptor, manifest } = readManifest(CHILD.root.bytes, CHILD.root.mediaType);
const LAYER = manifest.kind === 'image' ? manifest.layers[0] : undefined;
const ABSENT = digestOf(Buffer.from('absent'));

/** Runs the suite over places that `open` makes of an image. */
export function sourceContract(
  name: string,
  open: (held: BuiltImage) => Promise<SourcePlace>,
): void {
  describe(`the source of ${name}`, () => {
    it('says what its name stands for', async () => {
      await using place = await open(INDEX);

      const head = await place.open().head(signal);

      deepEqual(head, {
        mediaType: INDEX.root.mediaType,
        digest: INDEX.root.digest,
        size: INDEX.root.size,
      });
    });

    it('says that its name stands for nothing', async () => {
      await using place = await open(INDEX);

      equal(await place.open('absent').head(signal), undefined);
    });

    it('gives the root and its children, byte for byte', async () => {
      await using place = await open(INDEX);
      const source = place.open();

      const root = await source.manifest('root', signal);
      const child = await source.manifest(descriptor.digest, signal);

      deepEqual(Buffer.from(root.bytes), INDEX.root.bytes);
      deepEqual(child, { descriptor, bytes: child.bytes, manifest });
      deepEqual(Buffer.from(child.bytes), CHILD.root.bytes);
    });

    it('fails with NOT_FOUND for a manifest that is absent', async () => {
      await using place = await open(INDEX);

      await rejects(place.open('absent').manifest('root', signal), { code: 'NOT_FOUND' });
      await rejects(place.open().manifest(ABSENT, signal), { code: 'NOT_FOUND' });
    });

    it('does nothing once aborted', async () => {
      await using place = await open(INDEX);
      const aborted = AbortSignal.abort();

      await rejects(place.open().head(aborted), { code: 'CANCELLED' });
      await rejects(place.open().manifest('root', aborted), { code: 'CANCELLED' });
    });
  });
  blobContract(name, open);
}

function blobContract(name: string, open: (held: BuiltImage) => Promise<SourcePlace>): void {
  const target = LAYER ?? descriptor;
  const bytes =
    CHILD.blobs.find(({ digest }) => digest === target.digest)?.bytes ?? Buffer.alloc(0);

  /** What is handed on of a blob, and how it ends. */
  async function read(place: SourcePlace, wanted = target): Promise<[number, unknown]> {
    let received = 0;
    try {
      for await (const chunk of streamOf(await place.open().blob(wanted, signal))) {
        received += (chunk as Buffer).length;
      }
    } catch (error) {
      return [received, (error as { code?: unknown }).code];
    }
    return [received, undefined];
  }

  describe(`a blob of the source of ${name}`, () => {
    it('is given whole', async () => {
      await using place = await open(CHILD);

      const chunks = await collect<Buffer>(streamOf(await place.open().blob(target, signal)));

      deepEqual(Buffer.concat(chunks), bytes);
    });

    const damages: [string, (good: Buffer) => Buffer][] = [
      [
        'its first byte',
        (good) => Buffer.concat([Buffer.of((good[0] ?? 0) ^ 1), good.subarray(1)]),
      ],
      [
        'its last byte',
        (good) => Buffer.concat([good.subarray(0, -1), Buffer.of((good.at(-1) ?? 0) ^ 1)]),
      ],
      ['its length, too long', (good) => Buffer.concat([good, Buffer.from('x')])],
    ];
    for (const [shown, damage] of damages) {
      it(`is never handed on whole when damaged: ${shown}`, async () => {
        await using place = await open(CHILD);
        place.damage(target.digest, damage(bytes));

        const [received, code] = await read(place);

        equal(code, 'CONTENT_MISMATCH');
        equal(received < target.size, true);
      });
    }

    it('that is absent is NOT_FOUND, at once or when it is read', async () => {
      await using place = await open(CHILD);

      deepEqual(await read(place, { ...target, digest: parseDigest(ABSENT) }), [0, 'NOT_FOUND']);
    });

    it('can be left unread', async () => {
      await using place = await open(CHILD);

      const stream = streamOf(await place.open().blob(target, signal));
      stream.destroy();
      await new Promise((done) => (stream.closed ? done(true) : stream.once('close', done)));

      equal(stream.destroyed, true);
    });
  });
}
