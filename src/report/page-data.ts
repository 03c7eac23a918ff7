/** What the page is given of a report: columns with shared strings, compressed. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

import {
  CHANGES,
  DIGEST_CHARS,
  STATES,
  type PageRepositories,
  type PageRows,
  type Payload,
} from './payload.ts';
import type { Report } from './report.ts';
import { compareText, naturalKey, type Strings } from './strings.ts';

/** So many rows are still searched and sorted without waiting, in a file that can be sent around. */
export const MAX_PAGE_ROWS = 200_000;

export interface PageData {
  /** gzip of a `Payload` as JSON, as base64. */
  readonly text: string;
  /** Rows that are in the CSV files only: what is right, in a report that is very large. */
  readonly rowsLeftOut: number;
  readonly repositoriesLeftOut: number;
}

export async function pageData(report: Report, maxRows = MAX_PAGE_ROWS): Promise<PageData> {
  const chosen = choose(report, maxRows);
  const repositories = report.repositories.slice(0, maxRows);
  const payload = payloadOf(report, { chosen, repositories });
  const bytes = await promisify(gzip)(JSON.stringify(payload));
  return {
    text: bytes.toString('base64'),
    rowsLeftOut: report.workdir.rows.count - chosen.length,
    repositoriesLeftOut: report.repositories.length - repositories.length,
  };
}

interface Chosen {
  readonly chosen: readonly number[];
  readonly repositories: Report['repositories'];
}

function choose({ workdir: { rows }, states }: Report, maxRows: number): number[] {
  const all = Array.from({ length: rows.count }, (_, row) => row);
  if (all.length <= maxRows) return all;
  const there = STATES.indexOf('there');
  const isTold = (row: number): boolean =>
    states[row] !== there || (rows.columns.change[row] ?? 0) > 0;
  return all.filter(isTold).slice(0, maxRows);
}

function payloadOf(report: Report, { chosen, repositories }: Chosen): Payload {
  const { rows, files } = report.workdir;
  const { columns } = rows;
  const pathIds = [
    ...chosen.map((row) => columns.path[row] ?? 0),
    ...repositories.map((r) => r.pathId),
  ];
  const paths = ranked(rows.paths, pathIds, naturalKey);
  const nameIds = chosen.map((row) => columns.name[row] ?? 0);
  const names = ranked(rows.names, nameIds, naturalKey);
  const inOrder = chosen.toSorted(
    (a, b) =>
      paths.rankOf(columns.path[a]) - paths.rankOf(columns.path[b]) ||
      names.rankOf(columns.name[a]) - names.rankOf(columns.name[b]),
  );
  const texts = new Texts();
  return {
    paths: paths.texts,
    names: names.texts,
    rows: {
      path: inOrder.map((row) => paths.rankOf(columns.path[row])),
      name: inOrder.map((row) => names.rankOf(columns.name[row])),
      ...rowColumns(report, inOrder, texts),
    },
    repositories: repositoryColumns(repositories, (id) => paths.rankOf(id)),
    texts: texts.list,
    hasVerify: files.has('verify.csv'),
    hasPrevious: report.previous !== undefined,
  };
}

interface Ranked {
  /** In order. */
  readonly texts: readonly string[];
  readonly rankOf: (id: number | undefined) => number;
}

/** The strings that are used, sorted, so that the page sorts by their numbers. */
function ranked(strings: Strings, ids: readonly number[], keyOf: (text: string) => string): Ranked {
  const keyed = [...new Set(ids)].map((id) => ({
    id,
    text: strings.at(id),
    key: keyOf(strings.at(id)),
  }));
  keyed.sort((a, b) => compareText(a.key, b.key) || compareText(a.text, b.text));
  const ranks = new Uint32Array(strings.count);
  for (const [rank, { id }] of keyed.entries()) ranks[id] = rank;
  return { texts: keyed.map(({ text }) => text), rankOf: (id = 0) => ranks[id] ?? 0 };
}

/** Texts in the order in which they are used; 0 is none. */
class Texts {
  readonly #ids = new Map([['', 0]]);
  readonly list = [''];

  add(text: string): number {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    this.#ids.set(text, this.list.length);
    return this.list.push(text) - 1;
  }
}

const GONE = CHANGES.indexOf('gone');
const GONE_STATE = STATES.indexOf('gone');

function rowColumns(
  report: Report,
  inOrder: readonly number[],
  texts: Texts,
): Omit<PageRows, 'path' | 'name'> {
  const { rows } = report.workdir;
  const { columns, digests } = rows;
  const column = (of: ArrayLike<number>): number[] => inOrder.map((row) => of[row] ?? 0);
  const shas: string[] = [];
  const otherDigests: (readonly [number, string])[] = [];
  for (const [at, row] of inOrder.entries()) {
    const digest = digests.at(row);
    const hex = digest.startsWith('sha256:') ? digest.slice('sha256:'.length) : '';
    shas.push(hex.padEnd(DIGEST_CHARS));
    if (hex === '' && digest !== '') otherDigests.push([at, digest]);
  }
  return {
    count: inOrder.length,
    // What has gone since the previous run may still be in results.csv.
    state: inOrder.map((row) =>
      columns.change[row] === GONE ? GONE_STATE : (report.states[row] ?? 0),
    ),
    outcome: column(columns.outcome),
    check: column(columns.check),
    change: column(columns.change),
    updated: column(columns.updated),
    bytes: column(columns.bytes),
    size: column(columns.size),
    text: inOrder.map((row) => texts.add(remarkOf(report, row))),
    target: inOrder.map((row) => texts.add(rows.texts.at(columns.target[row] ?? 0))),
    digests: shas.join(''),
    otherDigests,
  };
}

/** All that is to be said of a row: why it failed, what was found, what it was before. */
export function remarkOf({ workdir: { rows } }: Pick<Report, 'workdir'>, row: number): string {
  const { foundDigest, previousDigest, syncedDigest } = rows.rare;
  const [detail, error, repairError] = [
    rows.detailOf(row),
    rows.errorOf(row),
    rows.repairErrorOf(row),
  ];
  const found = foundDigest.get(row);
  return [
    ...new Set([detail, error, repairError].filter((text) => text !== '')),
    ...(rows.repairOf(row) === 'copied' ? ['repaired'] : []),
    ...(found === undefined || detail.includes(found) ? [] : [`the target has ${found}`]),
    ...named('synced as', syncedDigest.get(row)),
    ...named('was', previousDigest.get(row)),
  ].join('; ');
}

function named(words: string, digest: string | undefined): string[] {
  return digest === undefined ? [] : [`${words} ${digest}`];
}

function repositoryColumns(
  repositories: Report['repositories'],
  rankOf: (id: number) => number,
): PageRepositories {
  return {
    count: repositories.length,
    path: repositories.map(({ pathId }) => rankOf(pathId)),
    tags: repositories.map(({ tags }) => tags),
    there: repositories.map(({ there }) => there),
    wrong: repositories.map(({ wrong }) => wrong),
    noResult: repositories.map(({ noResult }) => noResult),
    bytes: repositories.map(({ bytes }) => bytes),
    size: repositories.map(({ size }) => size),
    updated: repositories.map(({ updated }) => updated),
  };
}
