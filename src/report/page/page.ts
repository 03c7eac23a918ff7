/** What the page of a report does: it unpacks its data, and makes tables of them. */
/*! Tables by @tanstack/table-core, © Tanner Linsley, MIT License: https://github.com/TanStack/table */
import { byId } from './elements.ts';
import { readPayload } from './read-payload.ts';
import { repositoryTable } from './repository-table.ts';
import { TagTable } from './tag-table.ts';

void start();

async function start(): Promise<void> {
  try {
    const payload = await readPayload(byId('data').textContent ?? '');
    const tags = new TagTable(payload);
    byId('repositories').append(repositoryTable(payload, (path) => tags.showRepository(path)));
    byId('tags').append(tags.node);
    for (const node of document.querySelectorAll<HTMLElement>('[data-script]')) node.hidden = false;
    for (const button of document.querySelectorAll<HTMLElement>('[data-show]')) {
      button.addEventListener('click', () => tags.showOnly(button.dataset['show'] ?? ''));
    }
  } catch (error) {
    const trouble = byId('trouble');
    trouble.textContent = `The tables can't be shown: ${String(error)}. What they show is in the CSV files.`;
    trouble.hidden = false;
  }
  document.documentElement.dataset['ready'] = 'true';
}

addEventListener('beforeprint', () => {
  for (const details of document.querySelectorAll('details')) details.open = true;
});
