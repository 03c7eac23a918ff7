/** What the rows of a workdir come to: the state of each, totals, totals of repositories, reasons, ages. */
import { Fingerprints } from '../sync/fingerprints.ts';
import { STATES, type State } from './payload.ts';
import { Reasons, reasonOf, type Reason } from './reason.ts';
import type { Workdir } from './workdir.ts';
import { compareText } from './strings.ts';

export interface ReportTotals {
  readonly repositories: number;
  readonly tags: number;
  readonly there: number;
  readonly failed: number;
  readonly missing: number;
  readonly differs: number;
  readonly damaged: number;
  readonly wouldCopy: number;
  readonly noResult: number;
  /** Rows of results.csv and verify.csv that are not in tags.csv. */
  readonly notInTags: number;
  readonly copied: number;
  readonly unchanged: number;
  /** Rows that sync or verify failed at, also if the image is at the target all the same. */
  readonly failures: number;
  readonly bytesMoved: number;
  /** Rows that verify has looked at. */
  readonly verified: number;
  /** Of images whose size is known, each digest once. */
  readonly imageBytes: number;
  readonly images: number;
}

export interface RepositoryTotals {
  readonly path: string;
  /** Of the strings. */
  readonly pathId: number;
  tags: number;
  there: number;
  wrong: number;
  noResult: number;
  bytes: number;
  /** -1: unknown. */
  size: number;
  /** Of the newest tag; seconds since 1970, 0: unknown. */
  updated: number;
}

export interface Settled {
  /** Per row, of STATES. */
  readonly states: Uint8Array;
  readonly totals: ReportTotals;
  /** By path. */
  readonly repositories: readonly RepositoryTotals[];
  readonly reasons: readonly Reason[];
}

export const WRONG_STATES: readonly State[] = ['failed', 'missing', 'differs', 'damaged'];

/** The crawl began after the sync: what the sync says may be of older tags. */
export function isSyncOlder({ records: { crawl, sync } }: Pick<Workdir, 'records'>): boolean {
  return crawl !== undefined && sync !== undefined && startOf(sync) < startOf(crawl);
}

/** The sync began after verify. */
export function isVerifyOlder({ records: { sync, verify } }: Pick<Workdir, 'records'>): boolean {
  return sync !== undefined && verify !== undefined && startOf(verify) < startOf(sync);
}

export function startOf({ startedAt }: { readonly startedAt: string }): number {
  return Date.parse(startedAt);
}

export function settle(workdir: Workdir): Settled {
  const { rows } = workdir;
  const { columns } = rows;
  const stateOf = stateReader(workdir);
  const states = new Uint8Array(rows.count);
  const perState = new Map<State, number>(STATES.map((state) => [state, 0]));
  const repositories = new Map<number, RepositoryTotals>();
  const reasons = new Reasons();
  for (const pathId of workdir.listed)
    repositories.set(pathId, emptyOf(rows.paths.at(pathId), pathId));
  for (let row = 0; row < rows.count; row += 1) {
    const state = stateOf(row);
    states[row] = STATES.indexOf(state);
    perState.set(state, (perState.get(state) ?? 0) + 1);
    if (hasFailed(workdir, row)) reasons.add(reasonOfRow(workdir, row), row);
    const pathId = columns.path[row] ?? 0;
    const known = repositories.get(pathId);
    const repository = known ?? emptyOf(rows.paths.at(pathId), pathId);
    if (known === undefined) repositories.set(pathId, repository);
    addTo(repository, workdir, { row, state });
  }
  return {
    states,
    totals: { repositories: repositories.size, ...totalsOf(workdir, perState) },
    repositories: [...repositories.values()].toSorted((a, b) => compareText(a.path, b.path)),
    reasons: reasons.list(),
  };
}

/** Verify has looked at the target itself: what it says counts, unless a sync came after it. */
function stateReader(workdir: Workdir): (row: number) => State {
  const { rows } = workdir;
  const syncOlder = isSyncOlder(workdir);
  const verifyOlder = isVerifyOlder(workdir);
  return (row) => {
    const check = rows.checkOf(row);
    const outcome = rows.outcomeOf(row);
    const isOfOlderTag = syncOlder && rows.rare.syncedDigest.has(row);
    if (check !== 'none' && !(verifyOlder && outcome !== 'none')) {
      if (check === 'ok') return 'there';
      return outcome === 'failed' ? 'failed' : check; // which says why it is missing
    }
    if (outcome === 'none' || isOfOlderTag) return 'no-result';
    if (outcome === 'failed' || outcome === 'would-copy') return outcome;
    return 'there';
  };
}

export function hasFailed({ rows }: Pick<Workdir, 'rows'>, row: number): boolean {
  return rows.outcomeOf(row) === 'failed' || rows.checkOf(row) === 'failed';
}

function reasonOfRow({ rows }: Workdir, row: number): string {
  const error = rows.outcomeOf(row) === 'failed' ? rows.errorOf(row) : rows.detailOf(row);
  if (error === '') return 'no reason given';
  const target = rows.texts.at(rows.columns.target[row] ?? 0);
  return reasonOf(error, { path: rows.pathOf(row), name: rows.nameOf(row), target });
}

function emptyOf(path: string, pathId: number): RepositoryTotals {
  return { path, pathId, tags: 0, there: 0, wrong: 0, noResult: 0, bytes: 0, size: -1, updated: 0 };
}

function addTo(
  repository: RepositoryTotals,
  { rows: { columns } }: Workdir,
  { row, state }: { readonly row: number; readonly state: State },
): void {
  const size = columns.size[row] ?? -1;
  repository.tags += 1;
  repository.bytes += columns.bytes[row] ?? 0;
  repository.updated = Math.max(repository.updated, columns.updated[row] ?? 0);
  if (size >= 0) repository.size = Math.max(repository.size, 0) + size;
  if (state === 'there') repository.there += 1;
  else if (WRONG_STATES.includes(state)) repository.wrong += 1;
  else repository.noResult += 1;
}

function totalsOf(
  workdir: Workdir,
  perState: ReadonlyMap<State, number>,
): Omit<ReportTotals, 'repositories'> {
  const { rows, files } = workdir;
  const { columns } = rows;
  const seen = new Fingerprints();
  const sums = { failures: 0, inTags: 0, bytesMoved: 0, verified: 0, imageBytes: 0, images: 0 };
  const outcomes = { none: 0, copied: 0, unchanged: 0, 'would-copy': 0, failed: 0 };
  for (let row = 0; row < rows.count; row += 1) {
    sums.inTags += columns.isInTags[row] ?? 0;
    sums.bytesMoved += columns.bytes[row] ?? 0;
    outcomes[rows.outcomeOf(row)] += 1;
    if (rows.checkOf(row) !== 'none') sums.verified += 1;
    if (hasFailed(workdir, row)) sums.failures += 1;
    const size = columns.size[row] ?? -1;
    if (size < 0 || seen.add(rows.digests.at(row), '') !== 'new') continue;
    sums.imageBytes += size;
    sums.images += 1;
  }
  const of = (state: State): number => perState.get(state) ?? 0;
  return {
    tags: rows.count,
    there: of('there'),
    failed: of('failed'),
    missing: of('missing'),
    differs: of('differs'),
    damaged: of('damaged'),
    wouldCopy: of('would-copy'),
    noResult: of('no-result'),
    notInTags: files.has('tags.csv') ? rows.count - sums.inTags : 0,
    copied: outcomes.copied,
    unchanged: outcomes.unchanged,
    failures: sums.failures,
    bytesMoved: sums.bytesMoved,
    verified: sums.verified,
    imageBytes: sums.imageBytes,
    images: sums.images,
  };
}
