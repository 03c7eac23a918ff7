/** The table of all tags, with what can be chosen of them. */
import { CHANGES, OUTCOMES, STATE_WORDS, STATES, type Payload, type State } from '../payload.ts';
import { choice, searchField } from './controls.ts';
import { DataTable, type Column } from './data-table.ts';
import { byId, element } from './elements.ts';
import { formatDay } from './numbers.ts';
import { digestReader } from './read-payload.ts';
import { bytesCell } from './repository-table.ts';

const WRONG: ReadonlySet<State> = new Set(['failed', 'missing', 'differs', 'damaged']);

/** What the rows are chosen by, besides words: a test of a row's number by the value of the choice. */
type Filter = (row: number) => boolean;

export class TagTable {
  readonly node: HTMLElement;
  readonly #payload: Payload;
  readonly #table: DataTable;
  readonly #filters: ReadonlyMap<string, Filter>;
  readonly #choice;
  readonly #search;
  readonly #ofRepository = element('p', { class: 'chosen', hidden: '' });
  /** What is only there to be told, and counts as no tag. */
  readonly #isAside: Filter;
  readonly #asideCount: number;
  #words: readonly string[] = [];
  #filter: Filter | undefined;
  /** Of `paths`. */
  #path: number | undefined;
  /** What is searched of each row: made when the first search begins. */
  #texts: readonly string[] | undefined;

  constructor(payload: Payload) {
    this.#payload = payload;
    this.#filters = filtersOf(payload);
    this.#isAside = (row) => ASIDE.some((state) => this.#filters.get(state)?.(row) === true);
    this.#asideCount = payload.rows.state.filter((_, row) => this.#isAside(row)).length;
    this.#table = new DataTable({
      caption: 'Tags. The headers sort.',
      noun: 'tag',
      plural: 'tags',
      count: payload.rows.count,
      total: () => this.#total(),
      columns: columnsOf(payload),
      remark: (row) => payload.texts[payload.rows.text[row] ?? 0] ?? '',
      isWanted: (row) => this.#isWanted(row),
      sortedBy: { id: 'path', desc: false },
    });
    this.#search = searchField('Search tags, digests, errors', (words) => {
      this.#words = words;
      this.#table.refilter();
    });
    const present = CHOICES.filter(([value]) => this.#isPresent(value));
    this.#choice = choice('Show', [['', 'all'], ...present], (value) => {
      this.#filter = this.#filters.get(value);
      this.#table.refilter();
    });
    const controls = element('div', { class: 'controls' }, this.#search.node, this.#choice.node);
    this.node = element('div', {}, controls, this.#ofRepository, this.#table.node);
  }

  /** Shows the tags of a repository, or with `undefined` of all, and goes there. */
  showRepository(path: number | undefined): void {
    this.#reset();
    this.#path = path;
    this.#ofRepository.hidden = path === undefined;
    if (path !== undefined) {
      const all = element('button', { type: 'button' }, 'Show all repositories');
      all.addEventListener('click', () => this.showRepository(undefined));
      const name = element('strong', { class: 'image' }, this.#payload.paths[path] ?? '');
      this.#ofRepository.replaceChildren('Only ', name, ' ', all);
    }
    this.#goThere();
  }

  /** Shows what a choice has, and goes there. */
  showOnly(value: string): void {
    this.#reset();
    this.#path = undefined;
    this.#ofRepository.hidden = true;
    this.#choice.select.value = this.#isPresent(value) ? value : '';
    this.#filter = this.#filters.get(this.#choice.select.value);
    this.#goThere();
  }

  #reset(): void {
    this.#search.input.value = '';
    this.#words = [];
    this.#choice.select.value = '';
    this.#filter = undefined;
  }

  #goThere(): void {
    this.#table.refilter();
    byId('tags').scrollIntoView();
    byId('tags-title').focus({ preventScroll: true });
  }

  get #isOfAside(): boolean {
    return ASIDE.some((state) => this.#filter === this.#filters.get(state));
  }

  #total(): number {
    const { count, state } = this.#payload.rows;
    const filter = this.#filter;
    if (filter === undefined || !this.#isOfAside) return count - this.#asideCount;
    return state.filter((_, row) => filter(row)).length;
  }

  #isPresent(value: string): boolean {
    const filter = this.#filters.get(value);
    if (filter === undefined) return false;
    for (let row = 0; row < this.#payload.rows.count; row += 1) if (filter(row)) return true;
    return false;
  }

  #isWanted(row: number): boolean {
    if (this.#path !== undefined && this.#payload.rows.path[row] !== this.#path) return false;
    if (this.#isAside(row) !== this.#isOfAside) return false;
    if (this.#filter !== undefined && !this.#filter(row)) return false;
    if (this.#words.length === 0) return true;
    this.#texts ??= searchTexts(this.#payload);
    const text = this.#texts[row] ?? '';
    return this.#words.every((word) => text.includes(word));
  }
}

function searchTexts({ rows, paths, names, texts }: Payload): string[] {
  const digestOf = digestReader(rows);
  return Array.from({ length: rows.count }, (_, row) => {
    const name = nameWithMark(names[rows.name[row] ?? 0] ?? '');
    const image = `${paths[rows.path[row] ?? 0]}${name}`;
    const target = texts[rows.target[row] ?? 0];
    const state = STATE_WORDS[STATES[rows.state[row] ?? 0] ?? 'there'];
    const remark = texts[rows.text[row] ?? 0];
    return `${image} ${digestOf(row)} ${state} ${target}${name} ${remark}`.toLowerCase();
  });
}

function nameWithMark(name: string): string {
  return name.startsWith('@') ? name : `:${name}`;
}

const ASIDE: readonly State[] = ['gone', 'unlisted'];

const CHOICES: readonly (readonly [string, string])[] = [
  ['not-there', 'not at the target'],
  ...STATES.filter((state) => state !== 'gone').map(
    (state) => [state, STATE_WORDS[state]] as const,
  ),
  ['copied', 'copied by this sync'],
  ['new', 'new since the previous run'],
  ['moved', 'moved since the previous run'],
  ['gone', 'gone since the previous run'],
];

function filtersOf({ rows }: Payload): ReadonlyMap<string, Filter> {
  const there = STATES.indexOf('there');
  const aside = new Set(ASIDE.map((state) => STATES.indexOf(state)));
  const byState = (state: State): Filter => {
    const wanted = STATES.indexOf(state);
    return (row) => rows.state[row] === wanted;
  };
  const byChange = (change: (typeof CHANGES)[number]): Filter => {
    const wanted = CHANGES.indexOf(change);
    return (row) => rows.change[row] === wanted;
  };
  const copied = OUTCOMES.indexOf('copied');
  return new Map([
    ...STATES.map((state): [string, Filter] => [state, byState(state)]), // also `gone`
    ['not-there', (row) => rows.state[row] !== there && !aside.has(rows.state[row] ?? there)],
    ['copied', (row) => rows.outcome[row] === copied],
    ['new', byChange('new')],
    ['moved', byChange('moved')],
  ]);
}

function columnsOf(payload: Payload): Column[] {
  const { rows, paths, names } = payload;
  return [
    // By the whole image: rows come sorted by repository and tag.
    {
      id: 'path',
      title: 'Repository',
      value: (row) => row,
      cell: (row) => [paths[rows.path[row] ?? 0] ?? ''],
      className: 'image',
    },
    textColumn('name', 'Tag', { of: rows.name, text: (row) => names[rows.name[row] ?? 0] }),
    {
      id: 'state',
      title: 'State',
      value: (row) => rows.state[row] ?? 0,
      cell: (row) => [stateBadge(STATES[rows.state[row] ?? 0] ?? 'there')],
    },
    textColumn('outcome', 'Sync', {
      of: rows.outcome,
      text: (row) => wordOf(OUTCOMES[rows.outcome[row] ?? 0]),
    }),
    ...numberColumns(payload),
  ];
}

/** Those of them that there is something for. */
function numberColumns({ rows, hasVerify, hasPrevious }: Payload): Column[] {
  const digestOf = digestReader(rows);
  const bytes = (id: string, title: string, of: readonly number[]): Column => ({
    id,
    title,
    value: (row) => of[row] ?? -1,
    cell: (row) => bytesCell(of[row] ?? -1),
    isNumber: true,
  });
  const change = textColumn('change', 'Change', {
    of: rows.change,
    text: (row) => wordOf(CHANGES[rows.change[row] ?? 0]),
  });
  return [
    ...(hasPrevious ? [change] : []),
    {
      id: 'updated',
      title: 'Updated',
      value: (row) => rows.updated[row] ?? 0,
      cell: (row) => [formatDay(rows.updated[row] ?? 0)],
      isNumber: true,
    },
    bytes('bytes', 'Moved', rows.bytes),
    ...(hasVerify ? [bytes('size', 'Size', rows.size)] : []),
    {
      id: 'digest',
      title: 'Digest',
      value: digestRank(rows.digests),
      cell: (row) => [element('span', { class: 'digest' }, digestOf(row))],
    },
  ];
}

/** Sorted by numbers, which stand for words in their order. */
function textColumn(
  id: string,
  title: string,
  { of, text }: { of: readonly number[]; text: (row: number) => string | undefined },
): Column {
  const className = id === 'name' ? 'image' : '';
  return { id, title, value: (row) => of[row] ?? 0, cell: (row) => [text(row) ?? ''], className };
}

/** By the first 12 hexadecimal digits: equal ones stand together, which is what it is for. */
function digestRank(digests: string): (row: number) => number {
  return (row) => Number.parseInt(digests.slice(row * 64, row * 64 + 12), 16) || 0;
}

function wordOf(word: string | undefined): string {
  return word === undefined || word === 'none' ? '' : word.replace('-', ' ');
}

function stateBadge(state: State): HTMLElement {
  const kind = WRONG.has(state) ? 'bad' : state === 'there' ? 'good' : 'idle';
  return element('span', { class: `state ${kind}` }, STATE_WORDS[state]);
}
