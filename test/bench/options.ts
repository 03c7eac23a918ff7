/** The command line of the benchmark. */
import { parseArgs } from 'node:util';

import type { LinkShape } from './link.ts';
import type { PeerName } from './peers.ts';
import { DEFAULT_PLAN, type Part, type Work } from './plan.ts';

const PEERS: readonly string[] = ['ours', 'skopeo', 'crane', 'regsync'];
const WORKS: readonly string[] = ['cold', 'unchanged', 'one-percent', 'crawl', 'start'];
const SERVERS: readonly string[] = ['memory', 'docker-registry'];

export const USAGE = `bench.js [PROFILE…] [--rtt 0,20,100] [--mbit N] [--rounds N] [--peers ${PEERS.join()}]
         [--work ${WORKS.join()}] [--server ${SERVERS.join('|')}] [--tls]
PROFILE: small, fleet, fat, each with /N for its first N repositories, or million`;

/** What is to be measured: the default plan, unless profiles or works are given. */
export function planOf(args: readonly string[]): readonly Part[] {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rtt: { type: 'string', default: '0,20,100' },
      mbit: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      peers: { type: 'string', default: PEERS.join(',') },
      work: { type: 'string' },
      server: { type: 'string', default: 'memory' },
      tls: { type: 'boolean', default: false },
    },
  });
  if (positionals.length === 0 && values.work === undefined) return DEFAULT_PLAN;
  const works = among('--work', WORKS, values.work ?? 'cold,unchanged,one-percent') as Work[];
  const profiles = works.length === 1 && works[0] === 'start' ? [''] : positionals;
  return profiles.map((profile) => ({
    profile,
    works,
    shapes: values.rtt.split(',').map((rtt) => shapeOf(Number(rtt), values.mbit)),
    rounds: Number(values.rounds),
    peers: among('--peers', PEERS, values.peers) as PeerName[],
    server: among('--server', SERVERS, values.server)[0] as Part['server'],
    isTls: values.tls,
  }));
}

function shapeOf(rttMs: number, mbit: string | undefined): LinkShape {
  return mbit === undefined ? { rttMs } : { rttMs, bytesPerS: Number(mbit) * 125_000 };
}

/** @throws {Error} when one of the names is not known. */
function among(name: string, known: readonly string[], text: string): string[] {
  const given = text.split(',');
  const wrong = given.find((one) => !known.includes(one));
  if (wrong !== undefined) throw new Error(`${name} ${wrong}: one of ${known.join(', ')}`);
  return given;
}
