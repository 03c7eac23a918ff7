/** One sync per class of requests, fault and number of times, and whether what came of it is right. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { TagOutcome } from '../../src/sync/sync.ts';
import type { Amiss, Times, Verdict } from './amiss.ts';
import type { Kind } from './kinds.ts';
import { APP, startScene, type Scene, type SceneOptions } from './scene.ts';

const TIMEOUT_MS = 30_000; // some three seconds at most, on a machine that has nothing else to do
const ALL_TIMES: readonly Times[] = [1, 2, Infinity];
/** A small stream that breaks twice says the same as a large one, in less time. */
const FEW_TIMES: readonly Times[] = [1, Infinity];
const SHOWN = new Map<Times, string>([
  [1, 'once'],
  [2, 'twice'],
  [Infinity, 'for good'],
]);

interface Cell {
  readonly kind: Kind;
  readonly amiss: Amiss;
  readonly times: Times;
  readonly verdict: Verdict;
}

/** Defines a test for each combination. */
export function defineMatrix(
  kinds: readonly Kind[],
  all: readonly Amiss[],
  { concurrency, ...options }: SceneOptions & { readonly concurrency: number },
): void {
  for (const kind of kinds) {
    describe(`${kind.side}: ${kind.name}`, { concurrency }, () => {
      for (const amiss of all.filter(({ concerns }) => concerns(kind))) {
        for (const times of amiss.times ?? (kind.large ? FEW_TIMES : ALL_TIMES)) {
          const verdict = amiss.verdict(kind, times);
          const name = `${amiss.name}, ${SHOWN.get(times)}: ${verdict}`;
          it(name, { timeout: TIMEOUT_MS }, async () => {
            await check({ kind, amiss, times, verdict }, options);
          });
        }
      }
    });
  }
}

async function check(cell: Cell, options: SceneOptions): Promise<void> {
  const usual = await usualCounts(cell.kind);
  await using scene = await startScene({ ...options, ...cell.kind });
  spoil(scene, cell);

  const outcomes = await scene.sync();

  const failed = failuresOf(outcomes);
  // Who can't meet a registry at all can copy nothing.
  const concerned = cell.kind.name === 'ping' ? Object.keys(outcomes) : [APP];
  const expected = cell.verdict === 'well' ? [] : concerned;
  deepEqual(Object.keys(failed).toSorted(), expected.toSorted(), JSON.stringify(failed));
  const others = Object.keys(outcomes).filter((path) => !expected.includes(path));
  scene.expectWhole(others);
  for (const outcome of Object.values(outcomes)) expectFailure(outcome, cell);
  expectCounts(countsOf(scene, cell.kind), usual, cell);
  const longest = Math.max(0, ...scene.net.clock.slept);
  ok(longest >= (cell.amiss.waitsMs ?? 0), `waited ${longest} ms`);
  expectNoCredentials(scene);
}

function spoil(scene: Scene, { kind, amiss, times }: Cell): void {
  const registry = scene[kind.side];
  const effect = amiss.effect(kind, scene.mirrors[kind.side].url.href);
  const { match: which } = kind;
  if (effect === 'refused') {
    scene.net.refuse(registry.host, [{ match: which, times, effect: { reset: true } }]);
  } else {
    registry.setFaults([{ match: which, times, effect }]);
  }
}

function failuresOf(outcomes: Readonly<Record<string, TagOutcome>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(outcomes).flatMap(([path, outcome]) =>
      outcome.result === 'failed'
        ? [[path, `${outcome.error.code} ${outcome.error.message}`] as const]
        : [],
    ),
  );
}

/** The failure has the right code, and says on which side it was and what was asked for. */
function expectFailure(outcome: TagOutcome, { kind, verdict, amiss }: Cell): void {
  if (outcome.result !== 'failed') return;
  const { code, message, details } = outcome.error;
  equal(code, verdict, message);
  equal(details.side, kind.side, message);
  match(message, /(?:^| )127\.0\.0\.1:\d+\/acme\/\w+[:@]/);
  match(message, amiss.says ?? /./);
}

/** Requests of the class that meets the fault, and all requests. */
interface Counts {
  readonly concerned: number;
  readonly all: number;
}

function countsOf(scene: Scene, { side, match: { method, path } }: Kind): Counts {
  const { sent } = scene.net;
  const concerned = sent.filter(
    ({ url, ...one }) =>
      url.host === scene[side].host &&
      (method ?? one.method) === one.method &&
      path.test(url.pathname + url.search),
  );
  return { concerned: concerned.length, all: sent.length };
}

const known = new Map<Kind, Promise<Counts>>();

function usualCounts(kind: Kind): Promise<Counts> {
  let counts = known.get(kind);
  if (counts === undefined) {
    counts = countUsual(kind);
    known.set(kind, counts);
  }
  return counts;
}

async function countUsual(kind: Kind): Promise<Counts> {
  await using scene = await startScene(kind);
  deepEqual(failuresOf(await scene.sync()), {});
  const counts = countsOf(scene, kind);
  ok(counts.concerned > 0, 'there are such requests');
  return counts;
}

/** A circle of redirects is left after so many. */
const HOPS = 6;

/** Attempts add up and do not multiply. */
function expectCounts(counts: Counts, before: Counts, { kind, amiss, times, verdict }: Cell): void {
  const shown = JSON.stringify({ before, counts });
  if (verdict === 'well' && times <= 2) {
    // At most: is it there, open, send, and read to the end and anew.
    ok(counts.all <= before.all + 5 * times, shown);
    return;
  }
  // What closes an upload is repeated, and belongs to what is begun anew.
  const most = /redirect/.test(amiss.name) ? HOPS : kind.name === 'closing PUT' ? 5 : 3;
  ok(counts.concerned <= most * before.concerned, shown);
  ok(counts.all <= 3 * before.all, shown);
}

/** What is on another origin is asked for without credentials. */
function expectNoCredentials({ mirrors, net }: Scene): void {
  const hosts = new Set([mirrors.source.host, mirrors.target.host]);
  const shown = net.sent.filter(({ url, authorization }) => {
    return hosts.has(url.host) && authorization !== undefined;
  });
  deepEqual(shown, []);
}
