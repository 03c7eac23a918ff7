/**
 * How tables sort: the order of all rows by a column is made once, and the rows that are shown are taken
 * from it. So a search in a sorted table sorts nothing.
 *
 * In the place of the library's own model, which compares its row objects one by one, anew each time.
 */
import { memo } from '@tanstack/table-core';

interface Row {
  /** Its place in the data. */
  readonly index: number;
}

interface RowModel<R extends Row> {
  readonly rows: R[];
}

/** What is needed of the library's table. */
interface SortableTable<R extends Row, M extends RowModel<R>> {
  readonly getCoreRowModel: () => M;
  readonly getPreSortedRowModel: () => M;
  readonly atoms: {
    readonly sorting: {
      readonly get: () => readonly { readonly id: string; readonly desc: boolean }[];
    };
  };
  readonly options: { readonly meta?: { readonly valueOf: ValueOf } | undefined };
}

/** What a row of a column is sorted by. */
export type ValueOf = (columnId: string, row: number) => number;

/** For the library's slot `sortedRowModel`. Equal rows stay in the order of the data. */
export function sortedByOrders<R extends Row, M extends RowModel<R>>(
  table: SortableTable<R, M>,
): () => M {
  const orders = new Map<string, Uint32Array>();
  return memo({
    memoDeps: () => [table.atoms.sorting.get(), table.getPreSortedRowModel()],
    fn: () => {
      const model = table.getPreSortedRowModel();
      const [sorting] = table.atoms.sorting.get();
      const valueOf = table.options.meta?.valueOf;
      if (sorting === undefined || valueOf === undefined) return model;
      const { id, desc } = sorting;
      const all = table.getCoreRowModel().rows;
      const key = `${id} ${desc}`;
      const order = orders.get(key) ?? orderOf(all.length, (row) => valueOf(id, row), desc);
      orders.set(key, order);
      return { ...model, rows: taken(model.rows, all, order) };
    },
  });
}

function orderOf(count: number, valueOf: (row: number) => number, desc: boolean): Uint32Array {
  const values = Float64Array.from({ length: count }, (_, row) => valueOf(row));
  const order = Uint32Array.from({ length: count }, (_, row) => row);
  const sign = desc ? -1 : 1;
  return order.toSorted((a, b) => sign * ((values[a] ?? 0) - (values[b] ?? 0)) || a - b);
}

/** `rows`, which are some of `all`, in order. */
function taken<R extends Row>(rows: readonly R[], all: readonly R[], order: Uint32Array): R[] {
  const isIn = new Uint8Array(all.length);
  for (const { index } of rows) isIn[index] = 1;
  const sorted: R[] = [];
  for (const index of order) {
    const row = all[index];
    if (isIn[index] === 1 && row !== undefined) sorted.push(row);
  }
  return sorted;
}
