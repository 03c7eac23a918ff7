/** The rows of one CSV file of all shards, in one order: about 250 bytes each. */
import { RegistrySyncError, throwIfAborted } from '../base/errors.ts';
import { splitPath } from '../sync/tag-row.ts';
import type { CsvName, FileRow } from './row-files.ts';
import { Strings } from './strings.ts';

const CHUNK_BYTES = 1024 * 1024;
const ROWS_PER_LOOK = 10_000;

/** Where a row's text is, and what it is sorted by. */
interface Places {
  readonly path: number[];
  readonly name: number[];
  readonly chunk: number[];
  readonly start: number[];
  readonly end: number[];
}

export class MergedRows {
  readonly #file: CsvName;
  readonly #paths = new Strings();
  readonly #names = new Strings();
  /** By the number of a repository: the part that has it. */
  readonly #owners: string[] = [];
  /** Beside V8's heap, which has a limit of its own. */
  readonly #chunks: Buffer[] = [];
  readonly #places: Places = { path: [], name: [], chunk: [], start: [], end: [] };
  #used = CHUNK_BYTES;

  constructor(file: CsvName) {
    this.#file = file;
  }

  /** @throws {RegistrySyncError} `USAGE` when another part has one of these repositories. */
  async addAll(rows: AsyncIterable<FileRow>, part: string, signal: AbortSignal): Promise<void> {
    for await (const row of rows) {
      const path = this.#paths.add(row.path);
      const owner = (this.#owners[path] ??= part);
      if (owner !== part) {
        const message = `--merge: ${owner} and ${part} both have ${row.path} in their ${this.#file}: they are the same shard, or shards of different runs (line ${row.line} of the latter)`;
        throw new RegistrySyncError('USAGE', message);
      }
      if (this.#places.path.push(path) % ROWS_PER_LOOK === 0) throwIfAborted(signal);
      this.#places.name.push(this.#names.add(row.name));
      this.#store(JSON.stringify(row.fields.slice(2))); // the rest is in the path
    }
  }

  /** All columns of each row. */
  *inOrder(): Generator<readonly string[], void, void> {
    const { path, name, chunk, start, end } = this.#places;
    const paths = ranksOf(this.#paths);
    const names = ranksOf(this.#names);
    // Stable: rows of one name are of one part, and stay as they are there.
    const order = Uint32Array.from(path.keys()).toSorted(
      (a, b) =>
        (paths[path[a] ?? 0] ?? 0) - (paths[path[b] ?? 0] ?? 0) ||
        (names[name[a] ?? 0] ?? 0) - (names[name[b] ?? 0] ?? 0) ||
        a - b,
    );
    for (const row of order) {
      const { namespace, repository } = splitPath(this.#paths.at(path[row] ?? 0));
      const bytes = this.#chunks[chunk[row] ?? 0]?.subarray(start[row], end[row]);
      yield [namespace, repository, ...(JSON.parse(String(bytes)) as string[])];
    }
  }

  #store(text: string): void {
    const size = Buffer.byteLength(text);
    if (this.#used + size > CHUNK_BYTES) {
      this.#chunks.push(Buffer.allocUnsafeSlow(Math.max(size, CHUNK_BYTES)));
      this.#used = 0;
    }
    const at = this.#chunks.length - 1;
    this.#chunks[at]?.write(text, this.#used);
    this.#places.chunk.push(at);
    this.#places.start.push(this.#used);
    this.#used += size;
    this.#places.end.push(this.#used);
  }
}

/** By the number of a string: its place among all of them. */
function ranksOf(strings: Strings): Uint32Array {
  const ids = Uint32Array.from({ length: strings.count }, (_, id) => id);
  const inOrder = ids.toSorted((a, b) => strings.compare(a, b));
  const ranks = new Uint32Array(ids.length);
  for (const [rank, id] of inOrder.entries()) ranks[id] = rank;
  return ranks;
}
