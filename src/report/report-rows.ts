/**
 * The tags of a report, in columns: a million of them take less than 200 MB.
 *
 * A row is known by its repository and its tag (or `@digest`); what tags.csv, results.csv, verify.csv
 * and the earlier run say of it comes together here.
 */
import { Digests } from './digests.ts';
import { CHANGES, CHECKS, OUTCOMES, type Change, type Check, type Outcome } from './payload.ts';
import { Strings } from './strings.ts';

const FIRST_ROWS = 1024; // a power of two

/** What else is known of some rows only. */
interface Rare {
  /** By results.csv, where it is another than in tags.csv. */
  readonly syncedDigest: Map<number, string>;
  /** At the target, by verify.csv. */
  readonly foundDigest: Map<number, string>;
  readonly previousDigest: Map<number, string>;
}

interface Columns {
  readonly path: Uint32Array;
  readonly name: Uint32Array;
  readonly isInTags: Uint8Array;
  /** Of OUTCOMES; 0: none. */
  readonly outcome: Uint8Array;
  /** Of CHECKS; 0: none. */
  readonly check: Uint8Array;
  /** Of OUTCOMES, by repair-results.csv; 0: none. */
  readonly repair: Uint8Array;
  /** Of CHANGES; 0: none. */
  readonly change: Uint8Array;
  /** When the tag was last updated, else created; seconds since 1970, 0: unknown. */
  readonly updated: Uint32Array;
  /** Moved by the sync. */
  readonly bytes: Float64Array;
  /** Of the whole image; -1: unknown. */
  readonly size: Float64Array;
  readonly elapsedMs: Uint32Array;
  /** Of `texts`: the error of the sync. */
  readonly error: Uint32Array;
  /** Of `texts`: the error of the repair. */
  readonly repairError: Uint32Array;
  /** Of `texts`: what verify has to say. */
  readonly detail: Uint32Array;
  /** Of `texts`: the name at the target, without the tag if that is the row's. */
  readonly target: Uint32Array;
}

/** Shared by the reports of two runs, which have most of them in common. */
export class ReportStrings {
  readonly paths = new Strings();
  readonly names = new Strings();
  /** Errors, details, targets; 0 is none. */
  readonly texts = new Strings();

  constructor() {
    this.texts.add('');
  }
}

export class ReportRows {
  readonly paths: Strings;
  readonly names: Strings;
  readonly texts: Strings;
  readonly digests = new Digests();
  readonly rare: Rare = {
    syncedDigest: new Map(),
    foundDigest: new Map(),
    previousDigest: new Map(),
  };
  #columns = columnsOf(FIRST_ROWS);
  /** Open addressing: the number of a row, and 1 more; 0 is free. */
  #slots = new Uint32Array(FIRST_ROWS * 2);
  #count = 0;

  constructor({ paths, names, texts }: ReportStrings) {
    this.paths = paths;
    this.names = names;
    this.texts = texts;
  }

  get count(): number {
    return this.#count;
  }

  /** Valid until the next row is added. */
  get columns(): Columns {
    return this.#columns;
  }

  /** The row of this name; enters it if it is new. */
  add(path: string, name: string): number {
    const pathId = this.paths.add(path);
    const nameId = this.names.add(name);
    const slot = this.#slotOf(pathId, nameId);
    const known = this.#slots[slot] ?? 0;
    if (known > 0) return known - 1;
    if (this.#count === this.#columns.path.length) {
      this.#grow();
      return this.add(path, name);
    }
    const row = this.#count;
    this.#count += 1;
    this.#slots[slot] = this.#count;
    this.#columns.path[row] = pathId;
    this.#columns.name[row] = nameId;
    this.#columns.size[row] = -1;
    return row;
  }

  /** The row of this name, if there is one. */
  find(path: string, name: string): number | undefined {
    const pathId = this.paths.find(path);
    const nameId = this.names.find(name);
    if (pathId === undefined || nameId === undefined) return undefined;
    const known = this.#slots[this.#slotOf(pathId, nameId)] ?? 0;
    return known > 0 ? known - 1 : undefined;
  }

  pathOf(row: number): string {
    return this.paths.at(this.#columns.path[row] ?? 0);
  }

  nameOf(row: number): string {
    return this.names.at(this.#columns.name[row] ?? 0);
  }

  /** `path:tag` or `path@digest`. */
  imageOf(row: number): string {
    return imageName(this.pathOf(row), this.nameOf(row));
  }

  errorOf(row: number): string {
    return this.texts.at(this.#columns.error[row] ?? 0);
  }

  repairErrorOf(row: number): string {
    return this.texts.at(this.#columns.repairError[row] ?? 0);
  }

  detailOf(row: number): string {
    return this.texts.at(this.#columns.detail[row] ?? 0);
  }

  outcomeOf(row: number): Outcome {
    return OUTCOMES[this.#columns.outcome[row] ?? 0] ?? 'none';
  }

  checkOf(row: number): Check {
    return CHECKS[this.#columns.check[row] ?? 0] ?? 'none';
  }

  repairOf(row: number): Outcome {
    return OUTCOMES[this.#columns.repair[row] ?? 0] ?? 'none';
  }

  /** How many repairs came to that. */
  countRepairs(outcome: Outcome): number {
    const wanted = OUTCOMES.indexOf(outcome);
    return this.#columns.repair.reduce((sum, found) => sum + Number(found === wanted), 0);
  }

  changeOf(row: number): Change {
    return CHANGES[this.#columns.change[row] ?? 0] ?? 'none';
  }

  #slotOf(pathId: number, nameId: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    const hash = Math.imul(pathId ^ 0x9e37_79b9, 0x85eb_ca6b) ^ Math.imul(nameId, 0xc2b2_ae35);
    for (let slot = (hash ^ (hash >>> 15)) & mask; ; slot = (slot + 1) & mask) {
      const row = slots[slot] ?? 0;
      if (row === 0) return slot;
      if (this.#columns.path[row - 1] === pathId && this.#columns.name[row - 1] === nameId)
        return slot;
    }
  }

  #grow(): void {
    const old = this.#columns;
    const columns = columnsOf(old.path.length * 2);
    for (const name of Object.keys(old) as (keyof Columns)[]) columns[name].set(old[name]);
    this.#columns = columns;
    this.#slots = new Uint32Array(columns.path.length * 2);
    for (let row = 0; row < this.#count; row += 1) {
      this.#slots[this.#slotOf(columns.path[row] ?? 0, columns.name[row] ?? 0)] = row + 1;
    }
  }
}

/** `path:tag` or `path@digest`. */
export function imageName(path: string, name: string): string {
  return name.startsWith('@') ? path + name : `${path}:${name}`;
}

function columnsOf(rows: number): Columns {
  return {
    path: new Uint32Array(rows),
    name: new Uint32Array(rows),
    isInTags: new Uint8Array(rows),
    outcome: new Uint8Array(rows),
    check: new Uint8Array(rows),
    repair: new Uint8Array(rows),
    change: new Uint8Array(rows),
    updated: new Uint32Array(rows),
    bytes: new Float64Array(rows),
    size: new Float64Array(rows),
    elapsedMs: new Uint32Array(rows),
    error: new Uint32Array(rows),
    repairError: new Uint32Array(rows),
    detail: new Uint32Array(rows),
    target: new Uint32Array(rows),
  };
}
