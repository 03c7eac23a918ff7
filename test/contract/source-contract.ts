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
  open(tag?: string): ImageSource | Promise<ImageSource>;
  /** Changes the bytes of a blob behind the transport's back. */
  damage(digest: string, bytes: Buffer): void | Promise<void>;
}

/** What a place can hold that does not take everything. */
export interface SourceImages {
  /** An image of two layers, the first of 100,000 bytes at least. */
  readonly child: BuiltImage;
  /** What the tag stands for: an index of the image, or the image itself. */
  readonly root: BuiltImage;
}

const { signal } = new AbortController();
const CHILD = image({ seed: 'child', layerBytes: 100_000 });
const INDEX = index([{ image: CHILD }]);
const ABSENT = digestOf(Buffer.from('absent'));

/** Runs the suite over places that `open` makes of an image. */
export function sourceContract(
  name: string,
  open: (held: BuiltImage) => Promise<SourcePlace>,
  images: SourceImages = { child: CHILD, root: INDEX },
): void {
  const { child: held, root: top } = images;
  const { descriptor, manifest } = readManifest(held.root.bytes, held.root.mediaType);

  describe(`the source of ${name}`, () => {
    it('says what its name stands for', async () => {
      await using place = await open(top);

      const head = await (await place.open()).head(signal);

      deepEqual(head, {
        mediaType: top.root.mediaType,
        digest: top.root.digest,
        size: top.root.size,
      });
    });

    it('says that its name stands for nothing', async () => {
      await using place = await open(top);

      equal(await (await place.open('absent')).head(signal), undefined);
    });

    it('gives the root and its children, byte for byte', async () => {
      await using place = await open(top);
      const source = await place.open();

      const root = await source.manifest('root', signal);
      const child = await source.manifest(descriptor.digest, signal);

      deepEqual(Buffer.from(root.bytes), top.root.bytes);
      deepEqual(child, { descriptor, bytes: child.bytes, manifest });
      deepEqual(Buffer.from(child.bytes), held.root.bytes);
    });

    it('fails with NOT_FOUND for a manifest that is absent', async () => {
      await using place = await open(top);

      await rejects((await place.open('absent')).manifest('root', signal), { code: 'NOT_FOUND' });
      await rejects((await place.open()).manifest(ABSENT, signal), { code: 'NOT_FOUND' });
    });

    it('does nothing once aborted', async () => {
      await using place = await open(top);
      const aborted = AbortSignal.abort();

      await rejects((await place.open()).head(aborted), { code: 'CANCELLED' });
      await rejects((await place.open()).manifest('root', aborted), { code: 'CANCELLED' });
    });
  });
  blobContract(name, open, held);
}

function blobContract(
  name: string,
  open: (held: BuiltImage) => Promise<SourcePlace>,
  held: BuiltImage,
): void {
  const { descriptor, manifest } = readManifest(held.root.bytes, held.root.mediaType);
  const target = (manifest.kind === 'image' ? manifest.layers[0] : undefined) ?? descriptor;
  const bytes = held.blobs.find(({ digest }) => digest === target.digest)?.bytes ?? Buffer.alloc(0);

  /** What is handed on of a blob, and how it ends. */
  async function read(place: SourcePlace, wanted = target): Promise<[number, unknown]> {
    let received = 0;
    try {
      for await (const chunk of streamOf(await (await place.open()).blob(wanted, signal))) {
        received += (chunk as Buffer).length;
      }
    } catch (error) {
      return [received, (error as { code?: unknown }).code];
    }
    return [received, undefined];
  }

  describe(`a blob of the source of ${name}`, () => {
    it('is given whole', async () => {
      await using place = await open(held);

      const chunks = await collect<Buffer>(
        streamOf(await (await place.open()).blob(target, signal)),
      );

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
        await using place = await open(held);
        await place.damage(target.digest, damage(bytes));

        const [received, code] = await read(place);

        equal(code, 'CONTENT_MISMATCH');
        equal(received < target.size, true);
      });
    }

    it('that is absent is NOT_FOUND, at once or when it is read', async () => {
      await using place = await open(held);

      deepEqual(await read(place, { ...target, digest: parseDigest(ABSENT) }), [0, 'NOT_FOUND']);
    });

    it('can be left unread', async () => {
      await using place = await open(held);

      const stream = streamOf(await (await place.open()).blob(target, signal));
      stream.destroy();
      await new Promise((done) => (stream.closed ? done(true) : stream.once('close', done)));

      equal(stream.destroyed, true);
    });
  });
}
