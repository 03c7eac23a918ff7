/**
 * What `npm run bench` measures when it is told nothing: some fifteen minutes on a machine that does
 * nothing else, most of them peers'.
 */
import type { LinkShape } from './link.ts';
import type { PeerName } from './peers.ts';

export type Work = 'cold' | 'unchanged' | 'one-percent' | 'crawl' | 'start';

export interface Part {
  /** `million`, or a name of `modelNamed`. */
  readonly profile: string;
  readonly works: readonly Work[];
  readonly shapes: readonly LinkShape[];
  readonly rounds: number;
  readonly peers: readonly PeerName[];
  readonly server: 'memory' | 'docker-registry';
  readonly isTls: boolean;
  /** Peers that do only so many repositories, and are compared by the tag. */
  readonly slices?: Partial<Record<PeerName, number>>;
}

const MEMORY = { server: 'memory', isTls: false, shapes: [{ rttMs: 0 }] } as const;
const DISTANT: readonly LinkShape[] = [{ rttMs: 20 }];
const FAR: readonly LinkShape[] = [{ rttMs: 100 }];
const ALL: readonly PeerName[] = ['ours', 'crane', 'regsync', 'skopeo'];
const SYNCS: readonly Work[] = ['cold', 'unchanged', 'one-percent'];

export const DEFAULT_PLAN: readonly Part[] = [
  { ...MEMORY, profile: '', works: ['start'], rounds: 20, peers: [] },
  // skopeo copies one image after another: all of the fleet would take it half an hour.
  { ...MEMORY, profile: 'fleet', works: SYNCS, rounds: 3, peers: ALL, slices: { skopeo: 2 } },
  {
    ...MEMORY,
    profile: 'fleet',
    works: SYNCS,
    shapes: DISTANT,
    rounds: 1,
    peers: ALL,
    slices: { skopeo: 1 },
  },
  {
    ...MEMORY,
    profile: 'fleet/4',
    works: SYNCS,
    shapes: FAR,
    rounds: 1,
    peers: ['ours', 'crane', 'regsync'],
  },
  {
    ...MEMORY,
    server: 'docker-registry',
    profile: 'small',
    works: SYNCS,
    rounds: 3,
    peers: ALL,
    slices: { skopeo: 5 },
  },
  { ...MEMORY, profile: 'fat/2', works: ['cold'], rounds: 3, peers: ALL },
  { ...MEMORY, profile: 'fat/2', works: ['cold'], rounds: 3, peers: ALL, isTls: true },
  { ...MEMORY, profile: 'fleet', works: ['crawl'], rounds: 3, peers: [] },
  { ...MEMORY, profile: 'fleet', works: ['crawl'], shapes: DISTANT, rounds: 1, peers: [] },
  { ...MEMORY, profile: 'million', works: ['crawl', 'unchanged'], rounds: 1, peers: [] },
];
