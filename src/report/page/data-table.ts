/**
 * A table with search, sorting and pages: a native <table>, of which only one page is in the document.
 *
 * Which rows are shown in which order is the work of @tanstack/table-core, which knows no elements.
 */
import {
  columnFilteringFeature,
  constructTable,
  createFilteredRowModel,
  createPaginatedRowModel,
  metaHelper,
  rowPaginationFeature,
  rowSortingFeature,
  tableFeatures,
  type ColumnDef,
} from '@tanstack/table-core';
import { storeReactivityBindings } from '@tanstack/table-core/store-reactivity-bindings';

import { element, spoken, type Child } from './elements.ts';
import { formatCount } from './numbers.ts';
import { Pager } from './pager.ts';
import { sortedByOrders, type ValueOf } from './sorted-rows.ts';

/** A row is a number: its place in the columns of the payload. */
export interface Column {
  readonly id: string;
  readonly title: string;
  /** What rows are sorted by. */
  readonly value: (row: number) => number;
  /** What is seen. */
  readonly cell: (row: number) => readonly Child[];
  /** Right-aligned, and sorted from the largest at first. */
  readonly isNumber?: boolean;
  /** Of its cells. */
  readonly className?: string;
}

export interface TableSettings {
  readonly caption: string;
  /** What rows are: `tag` and `tags`. */
  readonly noun: string;
  readonly plural: string;
  readonly count: number;
  readonly columns: readonly Column[];
  /** What stands below a row, over all columns; empty: nothing. */
  readonly remark?: (row: number) => string;
  /** How many rows there are when nothing is chosen. */
  readonly total: () => number;
  /** Whether a row is wanted, by what is chosen around the table. */
  readonly isWanted: (row: number) => boolean;
  readonly sortedBy: { readonly id: string; readonly desc: boolean };
}

const features = tableFeatures({
  coreReactivityFeature: storeReactivityBindings(),
  columnFilteringFeature,
  rowSortingFeature,
  rowPaginationFeature,
  filteredRowModel: createFilteredRowModel(),
  sortedRowModel: sortedByOrders,
  paginatedRowModel: createPaginatedRowModel(),
  tableMeta: metaHelper<{ readonly valueOf: ValueOf }>(),
});

/** The column on which the one filter is: it asks `isWanted`, whatever the column holds. */
const ALL = 'all';
const PAGE_SIZE = 50;

/** Rows are objects for the library. */
interface Entry {
  readonly row: number;
}

export class DataTable {
  /** Put it where the table is to be. */
  readonly node: HTMLElement;
  readonly #settings: TableSettings;
  readonly #table;
  readonly #body = element('tbody');
  readonly #headers = new Map<string, HTMLElement>();
  readonly #pager: Pager;
  #filtering = 0;

  constructor(settings: TableSettings) {
    this.#settings = settings;
    this.#table = constructTable({
      features,
      data: Array.from({ length: settings.count }, (_, row): Entry => ({ row })),
      columns: columnsOf(settings),
      meta: { valueOf: valueReader(settings) },
      autoResetPageIndex: false,
      initialState: {
        columnFilters: [{ id: ALL, value: this.#filtering }],
        sorting: [{ ...settings.sortedBy }],
        pagination: { pageIndex: 0, pageSize: PAGE_SIZE },
      },
    });
    this.#pager = new Pager(settings, {
      goTo: (page) => this.#change(() => this.#table.setPageIndex(page)),
      setSize: (size) => {
        this.#change(() => {
          this.#table.setPageSize(size);
          this.#table.setPageIndex(0);
        });
      },
    });
    this.node = this.#build();
    this.#render();
  }

  /** What `isWanted` says has changed. */
  refilter(): void {
    this.#filtering += 1;
    this.#change(() => {
      this.#table.setColumnFilters([{ id: ALL, value: this.#filtering }]);
      this.#table.setPageIndex(0);
    });
  }

  #change(work: () => void): void {
    work();
    this.#render();
  }

  #build(): HTMLElement {
    const { caption, columns, plural } = this.#settings;
    const captionId = `${plural}-caption`;
    const head = element('tr', {}, ...columns.map((column) => this.#header(column)));
    const table = element(
      'table',
      {},
      element('caption', { id: captionId, class: 'hide' }, caption),
      element('thead', {}, head),
      this.#body,
    );
    const region = { class: 'scroll', role: 'region', 'aria-labelledby': captionId, tabindex: '0' };
    return element('div', {}, this.#pager.status, element('div', region, table), this.#pager.node);
  }

  #header({ id, title, isNumber = false }: Column): HTMLElement {
    const button = element('button', { type: 'button' }, title, element('span', { class: 'sort' }));
    button.addEventListener('click', () => this.#sortBy(id, isNumber));
    const header = element('th', { scope: 'col' }, button);
    if (isNumber) header.className = 'number';
    this.#headers.set(id, header);
    return header;
  }

  #sortBy(id: string, isNumber: boolean): void {
    const [sorted] = this.#table.atoms.sorting.get();
    const desc = sorted?.id === id ? !sorted.desc : isNumber;
    this.#change(() => {
      this.#table.setSorting([{ id, desc }]);
      this.#table.setPageIndex(0);
    });
  }

  #render(): void {
    const [sorted] = this.#table.atoms.sorting.get();
    for (const [id, header] of this.#headers) {
      if (id === sorted?.id)
        header.setAttribute('aria-sort', sorted.desc ? 'descending' : 'ascending');
      else header.removeAttribute('aria-sort');
    }
    const { pageIndex, pageSize } = this.#table.atoms.pagination.get();
    const { rows } = this.#table.getRowModel();
    const found = this.#table.getPrePaginatedRowModel().rows.length;
    this.#body.replaceChildren(...rows.flatMap(({ index }) => this.#row(index)));
    if (rows.length === 0) this.#body.append(this.#nothing());
    this.#pager.show({ found, all: this.#settings.total(), pageIndex, pageSize });
  }

  #row(row: number): HTMLElement[] {
    const cells = this.#settings.columns.map(({ cell, isNumber, className = '' }, at) => {
      const made = at === 0 ? element('th', { scope: 'row' }) : element('td');
      made.className = isNumber === true ? 'number' : className;
      made.append(...cell(row));
      return made;
    });
    const remark = this.#settings.remark?.(row) ?? '';
    const main = element('tr', {}, ...cells);
    return remark === '' ? [main] : [main, this.#remark(remark)];
  }

  #remark(text: string): HTMLElement {
    const colspan = String(this.#settings.columns.length);
    const words = element('div', {}, spoken('Remark: '), text);
    const cell = element('td', { colspan, class: 'why' }, words);
    return element('tr', { class: 'remark' }, cell);
  }

  #nothing(): HTMLElement {
    const colspan = String(this.#settings.columns.length);
    const text = `No ${this.#settings.plural} match.`;
    return element('tr', {}, element('td', { colspan, class: 'nothing' }, text));
  }
}

/** A button in a cell that says to screen readers what it does. */
export function cellButton(text: string, does: string, onClick: () => void): HTMLElement {
  const button = element('button', { type: 'button', class: 'link' }, text, spoken(does));
  button.addEventListener('click', onClick);
  return button;
}

export function countCell(count: number): readonly Child[] {
  return [count === 0 ? element('span', { class: 'muted' }, '0') : formatCount(count)];
}

function columnsOf({ columns, isWanted }: TableSettings): ColumnDef<typeof features, Entry>[] {
  return [
    ...columns.map(({ id, value }): ColumnDef<typeof features, Entry> => ({
      id,
      accessorFn: ({ row }) => value(row),
    })),
    {
      id: ALL,
      accessorFn: ({ row }) => row,
      filterFn: ({ index }) => isWanted(index),
    },
  ];
}

function valueReader({ columns }: TableSettings): ValueOf {
  const readers = new Map(columns.map(({ id, value }) => [id, value]));
  return (id, row) => readers.get(id)?.(row) ?? row;
}
