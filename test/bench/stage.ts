/** A source and a target for one command after another: made ready, counted, checked. */
import type { KeyPair } from '../support/tls.ts';
import { forkHelper } from './forked.ts';
import { expectHolds } from './holds.ts';
import type { LinkAnswer } from './link-main.ts';
import type { LinkShape } from './link.ts';
import type { Held, MemoryAnswer, MemoryQuestion } from './memory-main.ts';
import type { Model } from './model.ts';
import type { Ends } from './peers.ts';
import type { Stats } from './tally.ts';

export interface StageStats {
  readonly source: Stats;
  readonly target: Stats;
  /** Of our process that serves or passes on: near the seconds of a run, it was what it waited for. */
  readonly helperCpuS: number;
}

export interface Stage extends AsyncDisposable {
  readonly ends: Ends;
  /** Makes the target hold that, the link be so long, and counts begin at nothing. */
  ready(held: Held, shape: LinkShape): Promise<void>;
  stats(): Promise<StageStats>;
  /** @throws {Error} when the target does not hold all tags of the model. */
  check(model: Model): Promise<void>;
}

/** Two registries in memory, in a process of their own. */
export async function memoryStage(profile: string, tls?: KeyPair): Promise<Stage> {
  const options = JSON.stringify({ profile, ...(tls && { tls }) });
  const helper = await forkHelper<MemoryQuestion, MemoryAnswer>('memory-main.js', [options]);
  const { source, target } = await helper.ask({});
  return {
    ends: { source: source.host, target: target.host, isTls: tls !== undefined },
    async ready(held, { rttMs, bytesPerS }) {
      if (bytesPerS !== undefined) throw new Error('a registry in memory has no bandwidth cap');
      await helper.ask({ target: held, rttMs });
    },
    async stats() {
      return statsIn(await helper.ask({}));
    },
    async check(model) {
      await helper.ask({ rttMs: 0 });
      await expectHolds(`${tls === undefined ? 'http' : 'https'}://${target.host}`, model);
    },
    [Symbol.asyncDispose]: () => helper[Symbol.asyncDispose](),
  };
}

/** From what a helper answered. */
export function statsIn({ source, target, cpuS }: MemoryAnswer | LinkAnswer): StageStats {
  return { source: source.stats, target: target.stats, helperCpuS: cpuS };
}
