/**
 * The process of the registries in memory, source and target: one process, so that they take one core
 * and leave the other to what is measured.
 */
import { readFile } from 'node:fs/promises';

import type { KeyPair } from '../support/tls.ts';
import { cpuSince, serveQuestions } from './forked.ts';
import { startMemoryRegistry, type MemoryRegistry } from './memory-registry.ts';
import type { Model } from './model.ts';
import { before, modelNamed } from './profiles.ts';
import { emptyStore, load } from './store.ts';
import { statsOf, type Stats } from './tally.ts';

/** The first argument, as JSON. */
export interface MemoryOptions {
  /** A profile, or `million`. */
  readonly profile: string;
  readonly tls?: KeyPair;
}

export interface MemoryQuestion {
  /** Counts begin anew, and answers take so long from now on. */
  readonly rttMs?: number;
  /** What the target is to hold; what it holds is left as it is unless given. */
  readonly target?: Held;
}

/** `before`: all but the tags that are new. */
export type Held = 'nothing' | 'before' | 'all';

export interface MemoryAnswer {
  readonly source: { readonly host: string; readonly stats: Stats };
  readonly target: { readonly host: string; readonly stats: Stats };
  /** Seconds of CPU of this process since counts began. */
  readonly cpuS: number;
}

const { profile, tls } = JSON.parse(process.argv[2] ?? '') as MemoryOptions;
const pem = tls && { cert: await readFile(tls.cert, 'utf8'), key: await readFile(tls.key, 'utf8') };
const holds = profile === 'million' ? 'million' : 'store';
const options = { holds, ...(pem && { tls: pem }) } as const;
const source = await startMemoryRegistry(options);
const target = await startMemoryRegistry(options);
const model = holds === 'store' ? modelNamed(profile) : undefined;
if (model !== undefined) load(source.store, model, 'with bytes');

let began = process.cpuUsage();
serveQuestions(({ rttMs, target: held }: MemoryQuestion): MemoryAnswer => {
  if (held !== undefined && model !== undefined) target.store = storeOf(model, held);
  const answer = { source: seen(source), target: seen(target), cpuS: cpuSince(began) };
  if (rttMs !== undefined) {
    for (const registry of [source, target]) registry.reset(rttMs);
    began = process.cpuUsage();
  }
  return answer;
});

function storeOf(whole: Model, held: Held): MemoryRegistry['store'] {
  const store = emptyStore();
  if (held !== 'nothing') load(store, held === 'all' ? whole : before(whole), 'sizes only');
  return store;
}

function seen({ host, tally }: MemoryRegistry): MemoryAnswer['source'] {
  return { host, stats: statsOf(tally) };
}
