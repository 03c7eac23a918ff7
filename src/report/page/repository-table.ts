/** The table of repositories. */
import type { Payload } from '../payload.ts';
import { searchField } from './controls.ts';
import { cellButton, countCell, DataTable, type Column } from './data-table.ts';
import { element } from './elements.ts';
import { formatBytes, formatDay } from './numbers.ts';

/** `showTags` is called with the number of a repository's path. */
export function repositoryTable(payload: Payload, showTags: (path: number) => void): HTMLElement {
  const { repositories, paths } = payload;
  const names = repositories.path.map((path) => (paths[path] ?? '').toLowerCase());
  let words: readonly string[] = [];
  const table = new DataTable({
    caption: 'Repositories. The headers sort; the name shows the tags.',
    noun: 'repository',
    plural: 'repositories',
    count: repositories.count,
    total: () => repositories.count,
    columns: columnsOf(payload, showTags),
    isWanted: (row) => words.every((word) => names[row]?.includes(word)),
    sortedBy: { id: 'path', desc: false },
  });
  const search = searchField('Search repositories', (found) => {
    words = found;
    table.refilter();
  });
  return element('div', {}, element('div', { class: 'controls' }, search.node), table.node);
}

function columnsOf(
  { repositories, paths, hasVerify }: Payload,
  showTags: (path: number) => void,
): Column[] {
  const counted = (id: string, title: string, of: readonly number[]): Column => ({
    id,
    title,
    value: (row) => of[row] ?? 0,
    cell: (row) => countCell(of[row] ?? 0),
    isNumber: true,
  });
  const sizes = repositories.size;
  return [
    {
      id: 'path',
      title: 'Repository',
      value: (row) => repositories.path[row] ?? 0,
      cell: (row) => {
        const path = repositories.path[row] ?? 0;
        return [cellButton(paths[path] ?? '', ': show its tags', () => showTags(path))];
      },
      className: 'image',
    },
    counted('tags', 'Tags', repositories.tags),
    counted('there', 'At the target', repositories.there),
    {
      ...counted('wrong', 'Not as it should be', repositories.wrong),
      cell: (row) => {
        const wrong = repositories.wrong[row] ?? 0;
        return wrong === 0
          ? countCell(0)
          : [element('strong', { class: 'bad' }, ...countCell(wrong))];
      },
    },
    counted('none', 'No result', repositories.noResult),
    {
      ...counted('bytes', 'Moved', repositories.bytes),
      cell: (row) => bytesCell(repositories.bytes[row] ?? 0),
    },
    ...(hasVerify
      ? [{ ...counted('size', 'Size', sizes), cell: (row: number) => bytesCell(sizes[row] ?? -1) }]
      : []),
    {
      ...counted('updated', 'Newest tag', repositories.updated),
      cell: (row) => [formatDay(repositories.updated[row] ?? 0)],
    },
  ];
}

/** -1 is unknown. */
export function bytesCell(bytes: number): readonly (string | HTMLElement)[] {
  if (bytes < 0) return [];
  return [bytes === 0 ? element('span', { class: 'muted' }, '0 B') : formatBytes(bytes)];
}
