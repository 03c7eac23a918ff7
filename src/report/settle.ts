/** What the rows of a workdir come to: the state of each, totals, totals of repositories, reasons, ages. */
import { Fingerprints } from '../sync/fingerprints.ts';
import { STATES, type Outcome, type State } from './payload.ts';
import { Reasons, reasonOf, type Reason } from './reason.ts';
import { isUnlisted, stateReader } from './row-state.ts';
import { compareText } from './strings.ts';
import type { Workdir } from './workdir.ts';

/** Of rows of tags.csv; where there is none, of all rows that there are. */
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
  /** Rows of the other files that are not in tags.csv: none of the other totals counts them. */
  readonly notInTags: number;
  /** By results.csv. */
  readonly copied: number;
  readonly unchanged: number;
  /** How those came to be there that are. */
  readonly thereBy: Readonly<Record<Arrival, number>>;
  /** Rows that sync or verify failed at, also if the image is at the target all the same. */
  readonly failures: number;
  readonly failedYetThere: number;
  readonly bytesMoved: number;
  /** Rows that verify has looked at. */
  readonly verified: number;
  /** Of images whose size is known, each digest once. */
  readonly imageBytes: number;
  readonly images: number;
}

/** By whom an image is known to be at the target; `verified`: by verify.csv alone. */
export type Arrival = 'copied' | 'unchanged' | 'repaired' | 'verified';

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
    if (state === 'unlisted') continue;
    if (hasFailed(workdir, row)) reasons.add(reasonOfRow(workdir, row), row);
    const pathId = columns.path[row] ?? 0;
    const known = repositories.get(pathId);
    const repository = known ?? emptyOf(rows.paths.at(pathId), pathId);
    if (known === undefined) repositories.set(pathId, repository);
    addTo(repository, workdir, { row, state });
  }
  return {
    states,
    totals: { repositories: repositories.size, ...totalsOf(workdir, states, perState) },
    repositories: [...repositories.values()].toSorted((a, b) => compareText(a.path, b.path)),
    reasons: reasons.list(),
  };
}

/** Whether somebody failed at it, also if the image is at the target all the same. */
export function hasFailed({ rows }: Pick<Workdir, 'rows'>, row: number): boolean {
  return [rows.outcomeOf(row), rows.checkOf(row), rows.repairOf(row)].includes('failed');
}

/** Why it failed, by who was last to say so. */
export function failureOf({ rows }: Pick<Workdir, 'rows'>, row: number): string {
  if (rows.repairOf(row) === 'failed') return rows.repairErrorOf(row);
  return rows.outcomeOf(row) === 'failed' ? rows.errorOf(row) : rows.detailOf(row);
}

function reasonOfRow(workdir: Workdir, row: number): string {
  const { rows } = workdir;
  const error = failureOf(workdir, row);
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
  states: Uint8Array,
  perState: ReadonlyMap<State, number>,
): Omit<ReportTotals, 'repositories'> {
  const { rows } = workdir;
  const { columns } = rows;
  const seen = new Fingerprints();
  const sums = {
    failures: 0,
    failedYetThere: 0,
    bytesMoved: 0,
    verified: 0,
    imageBytes: 0,
    images: 0,
  };
  const outcomes = noOutcomes();
  const thereBy = { copied: 0, unchanged: 0, repaired: 0, verified: 0 };
  for (let row = 0; row < rows.count; row += 1) {
    if (isUnlisted(workdir, row)) continue;
    sums.bytesMoved += columns.bytes[row] ?? 0;
    outcomes[rows.outcomeOf(row)] += 1;
    if (states[row] === THERE) thereBy[arrivalOf(workdir, row)] += 1;
    if (rows.checkOf(row) !== 'none') sums.verified += 1;
    const failed = Number(hasFailed(workdir, row));
    sums.failures += failed;
    if (states[row] === THERE) sums.failedYetThere += failed;
    const size = columns.size[row] ?? -1;
    if (size < 0 || seen.add(rows.digests.at(row), '') !== 'new') continue;
    sums.imageBytes += size;
    sums.images += 1;
  }
  const of = (state: State): number => perState.get(state) ?? 0;
  return {
    tags: rows.count - of('unlisted'),
    there: of('there'),
    failed: of('failed'),
    missing: of('missing'),
    differs: of('differs'),
    damaged: of('damaged'),
    wouldCopy: of('would-copy'),
    noResult: of('no-result'),
    notInTags: of('unlisted'),
    copied: outcomes.copied,
    unchanged: outcomes.unchanged,
    thereBy,
    ...sums,
  };
}

const THERE = STATES.indexOf('there');

function noOutcomes(): Record<Outcome, number> {
  return { none: 0, copied: 0, unchanged: 0, 'would-copy': 0, failed: 0 };
}

function arrivalOf({ rows }: Workdir, row: number): Arrival {
  if (rows.repairOf(row) === 'copied') return 'repaired';
  const outcome = rows.outcomeOf(row);
  return outcome === 'copied' || outcome === 'unchanged' ? outcome : 'verified';
}
