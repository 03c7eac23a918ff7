/**
 * Puts images into an OCI layout, as a process of its own: `layout-writer.js DIRECTORY PREFIX COUNT`.
 * With a count of 0 it takes the lock of the layout, says so and waits to be killed.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { withFileLock } from '../../src/files/file-lock.ts';
import { createLayoutSink } from '../../src/store/oci-layout.ts';
import { copyImage, sourceOf } from './copy-image.ts';
import { image } from './images.ts';

const [directory = '', prefix = '', count = ''] = process.argv.slice(2);
const { signal: NEVER } = new AbortController();

if (count === '0') {
  await mkdir(directory, { recursive: true });
  await withFileLock(join(directory, '.index.json.lock'), NEVER, async () => {
    process.stdout.write('held\n');
    await new Promise((resolve) => setTimeout(resolve, 600_000));
  });
}
await Promise.all(
  Array.from({ length: Number(count) }, async (_, at) => {
    const name = `${prefix}${at}`;
    const sink = createLayoutSink({ directory }, { label: name, name, limits: {} });
    await copyImage(sourceOf(image({ seed: name, layers: 1 })), sink);
  }),
);
