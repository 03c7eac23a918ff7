/** What every ImageSink must do, whatever the transport. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';

import { digestOf } from '../../src/image/digest.ts';
import { readManifest } from '../../src/image/manifest.ts';
import type { BlobOutcome, ImageSink } from '../../src/image/source-and-sink.ts';
import { verified } from '../../src/image/verified.ts';
import { image, index, type BuiltBlob, type BuiltImage } from '../support/images.ts';

/** A place that holds nothing yet. */
export interface SinkPlace extends AsyncDisposable {
  /** Opens what is to have that tag; the same tag is the same sink where there is but one. */
  open(tag?: string): ImageSink | Promise<ImageSink>;
  /** What it holds, seen past the transport. */
  blob(digest: string): Held<Uint8Array>;
  manifest(digest: string): Held<Uint8Array>;
  tag(tag: string): Held<string>;
}

type Held<T> = T | undefined | Promise<T | undefined>;

/** What a place can hold that does not take everything. */
export interface SinkImages {
  readonly child: BuiltImage;
  /** An index of the child; absent where none can be held. */
  readonly index?: BuiltImage;
}

const { signal: NEVER } = new AbortController();
const CHILD = image({ seed: 'child', layerBytes: 100_000 });
const INDEX = index([{ image: CHILD }]);

function put(
  sink: ImageSink,
  { mediaType, digest, bytes }: BuiltBlob,
  {
    sent = bytes,
    signal = NEVER,
    onOpen = () => {},
  }: { sent?: Buffer; signal?: AbortSignal; onOpen?: () => void } = {},
): Promise<BlobOutcome> {
  const target = { mediaType, digest: digestOf(bytes), size: bytes.length };
  equal(target.digest, digest);
  const open = async (): Promise<Readable> => {
    onOpen();
    return Readable.from(
      verified(Readable.from([sent.subarray(0, 999), sent.subarray(999)]), target),
      {
        objectMode: false,
      },
    );
  };
  return sink.putBlob(target, open, signal);
}

const stored = ({ root }: BuiltImage) => readManifest(root.bytes, root.mediaType);

/** Runs the suite over empty places that `open` makes. */
export function sinkContract(
  name: string,
  open: () => Promise<SinkPlace>,
  { child, index: top }: SinkImages = { child: CHILD, index: INDEX },
): void {
  const last = top ?? child;
  const [blob] = child.blobs.toSorted((a, b) => b.bytes.length - a.bytes.length);
  ok(blob);

  describe(`the sink of ${name}`, () => {
    it('holds nothing at first', async () => {
      await using place = await open();

      equal(await (await place.open()).head(NEVER), undefined);
    });

    it('holds a blob that is put, and opens it but once', async () => {
      await using place = await open();
      let opened = 0;
      const onOpen = (): void => void (opened += 1);

      const first = await put(await place.open(), blob, { onOpen });
      const second = await put(await place.open(), blob, { onOpen });

      deepEqual([first, second, opened], ['copied', 'present', 1]);
      deepEqual(Buffer.from((await place.blob(blob.digest)) ?? []), blob.bytes);
    });

    it('never holds a damaged blob', async () => {
      await using place = await open();
      const sent = Buffer.concat([blob.bytes.subarray(0, -1), Buffer.of(0x58)]);

      await rejects(put(await place.open(), blob, { sent }), { code: 'CONTENT_MISMATCH' });

      equal(await place.blob(blob.digest), undefined);
    });

    it('opens nothing once aborted', async () => {
      await using place = await open();
      let opened = 0;

      const putting = put(await place.open(), blob, {
        signal: AbortSignal.abort(),
        onOpen: () => (opened += 1),
      });

      await rejects(putting, { code: 'CANCELLED' });
      equal(opened, 0);
    });

    it('shows an image only with its root', async () => {
      await using place = await open();
      const sink = await place.open();
      await Promise.all(child.blobs.map((one) => put(sink, one)));
      if (top !== undefined) await sink.putManifest(stored(child), 'child', NEVER);
      const before = await sink.head(NEVER);

      await sink.putManifest(stored(last), 'root', NEVER);

      deepEqual([before, (await sink.head(NEVER))?.digest], [undefined, last.root.digest]);
      deepEqual(Buffer.from((await place.manifest(last.root.digest)) ?? []), last.root.bytes);
      deepEqual(Buffer.from((await place.manifest(child.root.digest)) ?? []), child.root.bytes);
      equal(await place.tag('v1'), last.root.digest);
    });

    it('refuses a manifest whose content it lacks, and says so', async () => {
      await using place = await open();

      await rejects((await place.open()).putManifest(stored(child), 'root', NEVER), (error) => {
        const { code, details } = error as { code: string; details: { missing?: string } };
        return (code === 'REJECTED' || code === 'NOT_FOUND') && details.missing !== undefined;
      });

      equal(await place.tag('v1'), undefined);
    });
  });
}
