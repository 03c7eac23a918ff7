import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { digestOf } from '../../src/image/digest.ts';
import type { ImageSink, ImageSource } from '../../src/image/source-and-sink.ts';
import { openStoreSink, openStoreSource } from '../../src/store/open.ts';
import { archivedImage, archiveEntries, hexOf } from '../support/docker-archive.ts';
import { tarOf } from '../support/tar-bytes.ts';
import { tempDir } from '../support/temp-dir.ts';
import { sinkContract } from './sink-contract.ts';
import { sourceContract } from './source-contract.ts';

const { signal } = new AbortController();
const IMAGE = archivedImage({ layerBytes: 100_000 });

sourceContract(
  'a docker-archive',
  async (held) => {
    const dir = await tempDir();
    const path = join(dir.path, 'images.tar');
    const opened: ImageSource[] = [];
    const entries = archiveEntries([{ image: held, tags: ['place:v1'] }]);
    writeFileSync(path, tarOf(entries));
    return {
      async open(tag = 'v1') {
        const reference = `docker.io/library/place:${tag}`;
        const location = { transport: 'docker-archive', path, reference } as const;
        const source = await openStoreSource(location, { tmpdir: dir.path, env: {} }, signal);
        opened.push(source);
        return source;
      },
      damage(digest, content) {
        const name = `${hexOf({ digest })}.tar`;
        writeFileSync(
          path,
          tarOf(entries.map((one) => (one.name === name ? { name, content } : one))),
        );
      },
      async [Symbol.asyncDispose]() {
        for (const source of opened) await source[Symbol.asyncDispose]();
        await dir[Symbol.asyncDispose]();
      },
    };
  },
  { child: IMAGE, root: IMAGE },
);

sinkContract(
  'a docker-archive',
  async () => {
    const dir = await tempDir();
    const settings = { tmpdir: dir.path, env: {} };
    const path = join(dir.path, 'images.tar');
    const sinks = new Map<string, ImageSink>();
    /** What GNU tar finds in it, the unfinished file included. */
    const read = (name: string): Buffer | undefined => {
      const [file] = readdirSync(dir.path);
      if (file === undefined) return undefined;
      const { status, stdout } = spawnSync('tar', ['xOf', join(dir.path, file), name]);
      return status === 0 ? stdout : undefined;
    };
    const manifest = async (): Promise<Uint8Array | undefined> => {
      if (read('manifest.json') === undefined) return undefined;
      const location = { transport: 'docker-archive', path } as const;
      await using source = await openStoreSource(location, settings, signal);
      return (await source.manifest('root', signal)).bytes;
    };
    return {
      async open(tag = 'v1') {
        const reference = `docker.io/library/place:${tag}`;
        const location = { transport: 'docker-archive', path, reference } as const;
        const sink = sinks.get(tag) ?? (await openStoreSink(location, settings, signal));
        sinks.set(tag, sink);
        return sink;
      },
      blob: (digest) => read(`${hexOf({ digest })}.tar`),
      manifest,
      async tag(tag) {
        const list = read('manifest.json')?.toString('utf8') ?? '';
        const bytes = await manifest();
        const isTagged = list.includes(`"docker.io/library/place:${tag}"`);
        return isTagged && bytes !== undefined ? digestOf(bytes) : undefined;
      },
      async [Symbol.asyncDispose]() {
        for (const sink of sinks.values()) await sink[Symbol.asyncDispose]();
        await dir[Symbol.asyncDispose]();
      },
    };
  },
  { child: IMAGE },
);
