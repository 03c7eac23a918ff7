/** Copies an image as it is from one place to another: what commands do, without a command line. */
import { createCopier, type CopyResult } from '../../src/copy/copier.ts';
import { createTransfers } from '../../src/copy/run.ts';
import { ALL } from '../../src/copy/select.ts';
import type { ImageSink, ImageSource } from '../../src/image/source-and-sink.ts';
import { parseLocation } from '../../src/store/location.ts';
import { openStoreSink, openStoreSource, type StoreSettings } from '../../src/store/open.ts';
import { MemoryRepository } from './memory-image.ts';
import type { BuiltImage } from './images.ts';

const { signal: NEVER } = new AbortController();

/** Copies, and disposes of both. */
export async function copyImage(
  source: ImageSource,
  sink: ImageSink,
  signal = NEVER,
): Promise<CopyResult> {
  await using from = source;
  await using to = sink;
  const copy = createCopier({ transfers: createTransfers(), selection: ALL, referrers: 'none' });
  return await copy({ source: from, sink: to, signal });
}

/** Opens what is written as in `oci:path:name`, and is kept in files. */
export async function openSource(text: string, settings: StoreSettings): Promise<ImageSource> {
  const location = parseLocation(text);
  if (location.transport === 'docker') throw new Error(`${text} is in a registry`);
  return openStoreSource(location, settings, NEVER);
}

export async function openSink(text: string, settings: StoreSettings): Promise<ImageSink> {
  const location = parseLocation(text);
  if (location.transport === 'docker') throw new Error(`${text} is in a registry`);
  return openStoreSink(location, settings, NEVER);
}

/** An image in memory. */
export function sourceOf(image: BuiltImage): ImageSource {
  return new MemoryRepository().hold('v1', image).source('v1');
}
