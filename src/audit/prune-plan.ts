/**
 * The plan of a prune: a CSV that people read and edit, with the facts in lines of comment that `--apply` needs to
 * refuse a plan that is not meant for it.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { createInterface } from 'node:readline';

import { RegistrySyncError } from '../base/errors.ts';
import { onOneLine } from '../base/shown.ts';
import { readingGiven } from '../files/file-failure.ts';
import { writeWhole } from '../files/whole-file.ts';
import { tryParseDigest, type Digest } from '../image/digest.ts';
import { isRepositoryPath, isTag } from '../image/reference.ts';
import { PRUNE_COLUMNS } from '../sync/columns.ts';
import { formatCsv, readCsv, type CsvRecord } from '../sync/csv.ts';
import { inCell } from '../sync/csv.ts';

/** `delete`: the image, with all of its tags; `untag`: the tag alone, as something that stays needs the image. */
export type PlanAction = 'delete' | 'untag';

export interface PlanRow {
  readonly repository: string;
  readonly tag: string;
  /** What the tag stood for when the plan was made: only that is deleted. */
  readonly digest: Digest;
  /** RFC 3339, where the registry says it. */
  readonly lastUpdatedOn?: string | undefined;
  readonly action: PlanAction;
  /** For people. */
  readonly reason: string;
}

/** Options of the plan that decide what its rows mean. */
export const PLAN_OPTIONS = [
  'namespace',
  'target-namespace',
  'target-path',
  'append-suffix',
  'shard',
] as const;
export type PlanOption = (typeof PLAN_OPTIONS)[number];

export interface PlanList {
  /** The registry that it is of. */
  readonly source: string;
  /** Of its bytes. */
  readonly digest: Digest;
  /** Where repositories were looked at that it has not. */
  readonly scope: PruneScope;
}

/** All that the list has, or all in the namespaces that its rows go to. */
export const PRUNE_SCOPES = ['repositories', 'namespace'] as const;
export type PruneScope = (typeof PRUNE_SCOPES)[number];

export interface PlanFacts {
  /** `host[:port]`: rows are deleted there and nowhere else. */
  readonly target: string;
  /** RFC 3339. */
  readonly made: string;
  /** The tags.csv that the plan goes by; absent: it goes by none, repositories were named. */
  readonly list?: PlanList | undefined;
  readonly options: Readonly<Partial<Record<PlanOption, string>>>;
  /** Whether repositories may be left without a tag. */
  readonly mayEmpty: boolean;
  /** Rows that were planned; more of them were added by hand. */
  readonly planned: number;
  /** Tags among which they were chosen. */
  readonly seen: number;
}

export interface Plan {
  readonly facts: PlanFacts;
  readonly rows: readonly PlanRow[];
}

const NEEDED = ['repository', 'tag', 'digest', 'action'] as const;

/** Rows of one plan: they are held in memory, and more can't be looked through by anybody. */
export const MAX_ROWS = 100_000;
const TITLE = '# registry-sync prune plan 1';
/** Said, so that a line that got lost is not taken for it. */
const NO_LIST = 'none';

/** @throws {RegistrySyncError} `USAGE` when it can't be written; then the old file is as it was. */
export function writePlan(
  path: string,
  { facts, rows }: Plan,
  remarks: readonly string[],
): Promise<void> {
  const comments = [TITLE, ...factLines(facts), '# remove a row to spare its tag'];
  const text = [
    ...comments.map((line) => `${line}\r\n`),
    formatCsv([PRUNE_COLUMNS, ...rows.map(recordOf)]),
    ...remarks.map((line) => `# ${onOneLine(line)}\r\n`),
  ];
  return writeWhole(path, text.join(''));
}

function recordOf(row: PlanRow): string[] {
  const { repository, tag, digest, lastUpdatedOn = '', action, reason } = row;
  return [repository, tag, digest, dateOf(lastUpdatedOn), action, inCell(reason)];
}

/** Others say it, and people open it with a spreadsheet: as a date, or not at all. */
function dateOf(text: string): string {
  const time = Date.parse(text);
  return Number.isNaN(time) ? '' : new Date(time).toISOString();
}

function factLines(facts: PlanFacts): string[] {
  const { target, made, list, options, mayEmpty, planned, seen } = facts;
  const { source, digest, scope } = list ?? {};
  const given = Object.entries({
    target,
    made,
    list: digest ?? NO_LIST,
    source,
    scope,
    ...options,
  });
  return [
    ...given.flatMap(([name, value]) => (value === undefined ? [] : [`# ${name}: ${value}`])),
    ...(mayEmpty ? ['# allow-empty-repositories: yes'] : []),
    `# planned: ${planned} of ${seen} tags`,
  ];
}

/**
 * Reads a plan, and checks it as a whole.
 *
 * @throws {RegistrySyncError} `USAGE` that names the file, and line and value of the first mistake.
 */
export async function readPlan(path: string): Promise<Plan> {
  const facts = readFacts(path, await commentsOf(path));
  const rows: PlanRow[] = [];
  const seen = new Set<string>();
  let read: ((record: CsvRecord) => PlanRow) | undefined;
  await using file = await opened(path);
  try {
    for await (const record of readCsv(file)) {
      if (record.fields[0]?.startsWith('#')) continue; // a comment that a spreadsheet put into quotes
      if (read === undefined) {
        read = rowReader(record);
        continue;
      }
      const row = read(record);
      const name = `${row.repository}:${row.tag}`;
      if (seen.has(name)) throw wrong(record.line, name, 'stands in an earlier row too');
      seen.add(name);
      if (rows.push(row) > MAX_ROWS) throw wrong(record.line, name, `is row ${MAX_ROWS + 1}`);
    }
  } catch (error) {
    if (!(error instanceof RegistrySyncError)) throw error;
    throw new RegistrySyncError('USAGE', `${path}: ${error.message}`, { cause: error });
  }
  return { facts, rows };
}

function opened(path: string): Promise<FileHandle> {
  return readingGiven(path, 'make it by prune --plan first', () => open(path, 'r'));
}

/** The facts in lines of comment above the rows, by name. Spreadsheets put quotes and commas around them. */
async function commentsOf(path: string): Promise<ReadonlyMap<string, string>> {
  await using file = await opened(path);
  const facts = new Map<string, string>();
  const lines = createInterface({ input: file.createReadStream({ autoClose: false }) });
  let isFirst = true;
  for await (const line of lines) {
    const text = line.replace(/^\uFEFF/, '').replaceAll(/^"|[",\s]+$/g, '');
    if (text === '') continue;
    if (!text.startsWith('#')) break;
    if (isFirst && text !== TITLE) break;
    isFirst = false;
    const [, name, value] = /^# ([a-z-]+): (.*)$/.exec(text) ?? [];
    if (name !== undefined && value !== undefined) facts.set(name, value);
  }
  lines.close();
  return facts;
}

function readFacts(path: string, facts: ReadonlyMap<string, string>): PlanFacts {
  const [target, made] = [facts.get('target'), facts.get('made')];
  const [, planned, seen] = /^(\d+) of (\d+) tags$/.exec(facts.get('planned') ?? '') ?? [];
  const list = facts.get('list') === NO_LIST ? NO_LIST : readPlanList(facts);
  const isDated = !Number.isNaN(Date.parse(made ?? ''));
  if (target === undefined || !isDated || seen === undefined || list === undefined) {
    const message = `${path}: lines of comment at its top are missing, which say for which registry, by which tags.csv and when it was made: make it anew by prune --plan`;
    throw new RegistrySyncError('USAGE', message);
  }
  const options = PLAN_OPTIONS.flatMap((name) => {
    const value = facts.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    target,
    made: made ?? '',
    ...(list !== NO_LIST && { list }),
    options: Object.fromEntries(options),
    mayEmpty: facts.get('allow-empty-repositories') === 'yes',
    planned: Number(planned),
    seen: Number(seen),
  };
}

function readPlanList(facts: ReadonlyMap<string, string>): PlanList | undefined {
  const [source, digest] = [facts.get('source'), tryParseDigest(facts.get('list') ?? '')];
  const scope = PRUNE_SCOPES.find((one) => one === facts.get('scope'));
  if (source === undefined || digest === undefined || scope === undefined) return undefined;
  return { source, digest, scope };
}

function rowReader({ line, fields }: CsvRecord): (record: CsvRecord) => PlanRow {
  const names = fields.map((name) => name.toLowerCase());
  const missing = NEEDED.filter((name) => !names.includes(name));
  if (missing.length > 0) {
    throw wrong(line, fields.join(','), `has no column ${missing.join(', ')}`);
  }
  const at = (name: (typeof PRUNE_COLUMNS)[number]): number => names.indexOf(name);
  return ({ line: of, fields: values }) => {
    const field = (name: (typeof PRUNE_COLUMNS)[number]): string => values[at(name)] ?? '';
    const [repository, tag, action] = [field('repository'), field('tag'), field('action')];
    const digest = tryParseDigest(field('digest'));
    if (!isRepositoryPath(repository)) throw wrong(of, repository, 'is no name of a repository');
    if (!isTag(tag)) throw wrong(of, tag, 'is no tag');
    if (digest === undefined) {
      throw wrong(of, field('digest'), 'is no digest: write the one that the tag has now');
    }
    if (action !== 'delete' && action !== 'untag') {
      throw wrong(of, action, 'is no action: write delete or untag, or remove the row to keep it');
    }
    const lastUpdatedOn = field('last_updated_on') || undefined;
    return { repository, tag, digest, lastUpdatedOn, action, reason: field('reason') };
  };
}

function wrong(line: number, value: string, what: string): RegistrySyncError {
  const shown = JSON.stringify(value.slice(0, 200));
  return new RegistrySyncError('USAGE', `line ${line}: ${shown} ${what}`);
}
