/** Two of Debian's docker-registry with links before them: the real thing, and slower than memory. */
import { cp } from 'node:fs/promises';

import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { forkHelper } from './forked.ts';
import { expectHolds } from './holds.ts';
import type { LinkAnswer, LinkQuestion } from './link-main.ts';
import type { Held } from './memory-main.ts';
import type { Model } from './model.ts';
import { before } from './profiles.ts';
import { statsIn, type Stage } from './stage.ts';
import { storageOf } from './storage.ts';

export async function dockerStage(model: Model): Promise<Stage> {
  const source = await startDockerRegistry({ storage: storageOf(model) });
  await expectHolds(source.origin, model); // what was cached is what is meant
  const links = await forkHelper<LinkQuestion, LinkAnswer>('link-main.js', []);
  const { source: there, target: here } = await links.ask({ source: source.port });
  const storages = targetStorages(model);
  let target: DockerRegistry | undefined;
  return {
    ends: { source: there.host, target: here.host, isTls: false },
    async ready(held, shape) {
      await target?.stop();
      target = await startDockerRegistry({ storage: await storages.of(held) });
      await links.ask({ target: target.port, shape });
    },
    async stats() {
      return statsIn(await links.ask({}));
    },
    check: (whole) => expectHolds(target?.origin ?? '', whole),
    async [Symbol.asyncDispose]() {
      await links[Symbol.asyncDispose]();
      await source.stop();
      await target?.stop();
      await storages[Symbol.asyncDispose]();
    },
  };
}

interface Storages extends AsyncDisposable {
  /** A directory with that in it, to be written to; those of before are gone then. */
  of(held: Held): Promise<string>;
}

function targetStorages(model: Model): Storages {
  let last: { readonly held: Held; readonly dir: TempDir } | undefined;
  return {
    async of(held) {
      // To sync what is there already changes nothing, so one copy will do for all rounds.
      if (held === 'all' && last?.held === held) return last.dir.path;
      await last?.dir[Symbol.asyncDispose]();
      last = { held, dir: await tempDir() };
      if (held !== 'nothing') {
        const written = storageOf(held === 'all' ? model : before(model));
        await cp(written, last.dir.path, { recursive: true });
      }
      return last.dir.path;
    },
    [Symbol.asyncDispose]: async () => last?.dir[Symbol.asyncDispose](),
  };
}
