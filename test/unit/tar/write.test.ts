import { deepEqual, equal, rejects } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { open, readFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';

import { indexTar } from '../../../src/tar/read.ts';
import { TarWriter } from '../../../src/tar/write.ts';
import { pseudoRandomBytes } from '../../support/registry/layer-bytes.ts';
import { tempDir } from '../../support/temp-dir.ts';

const { signal } = new AbortController();
const CONTENT = pseudoRandomBytes('write', 200_001);

async function written(
  write: (tar: TarWriter, file: FileHandle) => Promise<void>,
): Promise<Buffer> {
  await using dir = await tempDir();
  const path = join(dir.path, 'a.tar');
  const file = await open(path, 'wx+');
  try {
    const tar = new TarWriter(file);
    await write(tar, file);
    const size = await tar.finish();
    const bytes = await readFile(path);
    equal(bytes.length, size);
    await indexTar({ file, size }, signal);
    return bytes;
  } finally {
    await file.close();
  }
}

/** As GNU tar lists it. */
function listed(archive: Buffer): string[] {
  const { stdout } = spawnSync('tar', ['tvf', '-', '--numeric-owner', '--utc'], { input: archive });
  return stdout.toString('utf8').trim().split('\n').filter(Boolean);
}

const two = async (tar: TarWriter): Promise<void> => {
  await tar.file('a.tar', CONTENT.length, Readable.from([CONTENT]), signal);
  await tar.link('id/layer.tar', '../a.tar', signal);
  await tar.file('b.json', 2, Buffer.from('{}'), signal);
};

describe('TarWriter', () => {
  it('writes files and links that say nothing of who wrote them, and when', async () => {
    const lines = listed(await written(two));

    deepEqual(
      lines.map((line) => line.replaceAll(/ +/g, ' ')),
      [
        '-r--r--r-- 0/0 200001 1970-01-01 00:00 a.tar',
        'lrwxrwxrwx 0/0 0 1970-01-01 00:00 id/layer.tar -> ../a.tar',
        '-r--r--r-- 0/0 2 1970-01-01 00:00 b.json',
      ],
    );
  });

  it('keeps contents', async () => {
    const archive = await written(two);
    const { stdout } = spawnSync('tar', ['xOf', '-', 'a.tar'], { input: archive });

    deepEqual(stdout, CONTENT);
  });

  it('writes files of nothing', async () => {
    const archive = await written((tar) => tar.file('empty', 0, Buffer.alloc(0), signal));

    equal(listed(archive).length, 1);
  });

  it('writes an archive of nothing', async () => {
    deepEqual(listed(await written(async () => {})), []);
  });

  it('leaves nothing of a file that broke', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield CONTENT.subarray(0, 100_000);
      throw new Error('the wire was cut');
    }
    const withBroken = await written(async (tar, file) => {
      await tar.file('a.tar', CONTENT.length, Readable.from([CONTENT]), signal);
      const { size } = await file.stat();
      const writing = tar.file('c', CONTENT.length, Readable.from(broken()), signal);
      await rejects(writing, { message: 'the wire was cut' });
      equal((await file.stat()).size, size - 1024);
      await tar.link('id/layer.tar', '../a.tar', signal);
      await tar.file('b.json', 2, Buffer.from('{}'), signal);
    });

    deepEqual(withBroken, await written(two));
  });

  it('forgets what is to be forgotten', async () => {
    const archive = await written(async (tar) => {
      await two(tar);
      const forget = tar.mark();
      await tar.file('c', 1, Buffer.from('x'), signal);
      forget();
    });

    deepEqual(archive, await written(two));
  });

  it('gives up a file whose bytes do not come', async () => {
    const stalled = new Readable({ read() {} });
    const abort = new AbortController();
    await written(async (tar) => {
      const writing = tar.file('a', 10, stalled, abort.signal);
      setImmediate(() => abort.abort());
      await rejects(writing, { code: 'CANCELLED' });
    });

    equal(stalled.destroyed, true);
  });
});
