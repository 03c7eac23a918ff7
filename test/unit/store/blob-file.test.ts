import { deepEqual, equal, rejects } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';

import { digestOf } from '../../../src/image/digest.ts';
import {
  isBlobFile,
  readBlobFile,
  readSmallFile,
  writeBlobFile,
  writeWhole,
} from '../../../src/store/blob-file.ts';
import { streamOf } from '../../support/blob-bytes.ts';
import { collect } from '../../support/collect.ts';
import { pseudoRandomBytes } from '../../support/registry/layer-bytes.ts';
import { tempDir } from '../../support/temp-dir.ts';

const { signal: NEVER } = new AbortController();
const LARGE = pseudoRandomBytes('large', 600_000);
const target = (bytes: Buffer) => ({
  mediaType: 'x',
  digest: digestOf(bytes),
  size: bytes.length,
});

describe('writeBlobFile', () => {
  for (const size of [0, 1, 1000, 600_000]) {
    it(`writes ${size} bytes, whole or as a stream`, async () => {
      await using dir = await tempDir();
      const bytes = LARGE.subarray(0, size);

      await writeBlobFile(join(dir.path, 'whole'), target(bytes), bytes, NEVER);
      const stream = Readable.from([bytes.subarray(0, 7), bytes.subarray(7)]);
      await writeBlobFile(join(dir.path, 'stream'), target(bytes), stream, NEVER);

      deepEqual(readdirSync(dir.path), ['stream', 'whole']);
      deepEqual(readFileSync(join(dir.path, 'whole')), Buffer.from(bytes));
      deepEqual(readFileSync(join(dir.path, 'stream')), Buffer.from(bytes));
    });
  }

  it('leaves nothing of what is not the content, and what was there', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'blob');
    await writeFile(path, 'before');

    const wrong = writeBlobFile(path, target(LARGE), LARGE.subarray(1), NEVER);

    await rejects(wrong, { code: 'CONTENT_MISMATCH' });
    deepEqual([readdirSync(dir.path), readFileSync(path, 'utf8')], [['blob'], 'before']);
  });

  it('leaves nothing when it is stopped, and the stream is closed', async () => {
    await using dir = await tempDir();
    const stopping = new AbortController();
    const stream = new Readable({ read() {} });
    stream.push(LARGE.subarray(0, 1000));

    const written = writeBlobFile(join(dir.path, 'blob'), target(LARGE), stream, stopping.signal);
    setTimeout(() => stopping.abort(), 20);

    await rejects(written, { code: 'CANCELLED' });
    deepEqual([readdirSync(dir.path), stream.destroyed], [[], true]);
  });

  it('takes a stream that fails before it is read', async () => {
    await using dir = await tempDir();
    const stopping = new AbortController();
    const stream = new Readable({ read() {} });

    const written = writeBlobFile(join(dir.path, 'blob'), target(LARGE), stream, stopping.signal);
    stopping.abort();

    await rejects(written, { code: 'CANCELLED' });
    deepEqual(readdirSync(dir.path), []);
  });

  it('says why a file can not be written', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'absent', 'blob');

    await rejects(writeBlobFile(path, target(LARGE), LARGE, NEVER), {
      code: 'USAGE',
      message: `can't write ${path}: there is no such directory`,
    });
  });
});

describe('readBlobFile', () => {
  it('gives small files whole and large ones as streams', async () => {
    await using dir = await tempDir();
    const small = LARGE.subarray(0, 1000);
    await writeFile(join(dir.path, 'small'), small);
    await writeFile(join(dir.path, 'large'), LARGE);

    const whole = await readBlobFile(join(dir.path, 'small'), target(small), NEVER);
    const stream = await readBlobFile(join(dir.path, 'large'), target(LARGE), NEVER);

    deepEqual([whole instanceof Uint8Array, stream instanceof Readable], [true, true]);
    deepEqual(Buffer.concat(await collect<Buffer>(streamOf(stream))), LARGE);
  });

  it('ends a stream when it is stopped', async () => {
    await using dir = await tempDir();
    const stopping = new AbortController();
    await writeFile(join(dir.path, 'large'), LARGE);

    const stream = await readBlobFile(join(dir.path, 'large'), target(LARGE), stopping.signal);
    stopping.abort();

    await rejects(collect(streamOf(stream)), { code: 'CANCELLED' });
  });

  it('says nothing to nobody when it is stopped before it is read', async () => {
    await using dir = await tempDir();
    const stopping = new AbortController();
    await writeFile(join(dir.path, 'large'), LARGE);

    const stream = await readBlobFile(join(dir.path, 'large'), target(LARGE), stopping.signal);
    stopping.abort();
    await new Promise((resolve) => setTimeout(resolve, 20)); // an error that nobody takes ends the process
    streamOf(stream).destroy();
  });

  it('refuses links, pipes and directories, without waiting', async () => {
    await using dir = await tempDir();
    const content = LARGE.subarray(0, 1000);
    await writeFile(join(dir.path, 'file'), content);
    await symlink('file', join(dir.path, 'link'));
    await mkdir(join(dir.path, 'directory'));
    execFileSync('mkfifo', [join(dir.path, 'pipe')]);

    for (const name of ['link', 'pipe', 'directory']) {
      const path = join(dir.path, name);
      await rejects(readBlobFile(path, target(content), NEVER), { code: 'PROTOCOL' });
      await rejects(readSmallFile(path, 10_000), { code: 'PROTOCOL' });
      equal(await isBlobFile(path, content.length), false);
    }
  });

  it('refuses another size, whatever is in it', async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'file'), LARGE.subarray(0, 1000));

    const reading = readBlobFile(join(dir.path, 'file'), target(LARGE), NEVER);

    await rejects(reading, { code: 'CONTENT_MISMATCH' });
  });
});

it('readSmallFile refuses to read on for ever', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'file');
  await writeFile(path, LARGE);

  await rejects(readSmallFile(path, 1000), { code: 'PROTOCOL' });
  equal((await readSmallFile(path, LARGE.length)).length, LARGE.length);
});

it('writeWhole changes nothing that is no longer wanted', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'file');
  await writeFile(path, 'before');

  equal(await writeWhole(path, Buffer.from('after'), async () => false), false);

  deepEqual([readdirSync(dir.path), readFileSync(path, 'utf8')], [['file'], 'before']);
});
