/** Where in its pages a table is: said, shown and changed. */
import { element, spoken } from './elements.ts';
import { formatCount } from './numbers.ts';

export interface Place {
  /** Rows that match. */
  readonly found: number;
  /** Rows that there are. */
  readonly all: number;
  /** From 0. */
  readonly pageIndex: number;
  readonly pageSize: number;
}

export interface PagerActions {
  readonly goTo: (pageIndex: number) => void;
  readonly setSize: (pageSize: number) => void;
}

/** What rows are: `tag` and `tags`. */
interface Nouns {
  readonly noun: string;
  readonly plural: string;
}

const SIZES = [25, 50, 100, 250];

export class Pager {
  /** Says how many rows there are, also to screen readers, whenever that changes. */
  readonly status = element('p', { role: 'status', class: 'found' });
  readonly node: HTMLElement;
  readonly #nouns: Nouns;
  readonly #actions: PagerActions;
  readonly #number = element('input', { type: 'number', min: '1', inputmode: 'numeric' });
  readonly #pages = element('span', { class: 'pages' });
  readonly #buttons: readonly { readonly node: HTMLElement; readonly page: () => number }[];
  #place: Place = { found: 0, all: 0, pageIndex: 0, pageSize: 1 };

  constructor(nouns: Nouns, actions: PagerActions) {
    this.#nouns = nouns;
    this.#actions = actions;
    this.#buttons = [
      this.#button('First', () => 0),
      this.#button('Previous', () => this.#place.pageIndex - 1),
      this.#button('Next', () => this.#place.pageIndex + 1),
      this.#button('Last', () => this.#lastPage),
    ];
    this.#number.addEventListener('change', () => this.#goTo(Number(this.#number.value) - 1));
    const [first, previous, next, last] = this.#buttons.map(({ node }) => node);
    const page = element('label', {}, 'Page ', this.#number);
    const parts = [first, previous, page, this.#pages, next, last, this.#sizes()];
    this.node = element(
      'nav',
      { class: 'pager', 'aria-label': `Pages of ${nouns.plural}` },
      ...parts.filter((part) => part !== undefined),
    );
  }

  show(place: Place): void {
    this.#place = place;
    const { found, all, pageIndex, pageSize } = place;
    const first = pageIndex * pageSize + 1;
    const last = Math.min(first + pageSize - 1, found);
    const of = found === all ? formatCount(all) : `${formatCount(found)} of ${formatCount(all)}`;
    const shown = found > pageSize ? `, showing ${formatCount(first)} to ${formatCount(last)}` : '';
    const text = `${of} ${all === 1 ? this.#nouns.noun : this.#nouns.plural}${shown}`;
    if (this.status.textContent !== text) this.status.textContent = text;
    this.#number.value = String(pageIndex + 1);
    this.#number.max = String(this.#lastPage + 1);
    this.#pages.textContent = `of ${formatCount(this.#lastPage + 1)}`;
    // Not `disabled`: who pressed the last «Next» would lose the focus.
    for (const { node, page } of this.#buttons) {
      node.setAttribute('aria-disabled', String(!this.#isPage(page()) || page() === pageIndex));
    }
    this.node.hidden = found <= Math.min(...SIZES);
  }

  get #lastPage(): number {
    return Math.max(0, Math.ceil(this.#place.found / this.#place.pageSize) - 1);
  }

  #isPage(page: number): boolean {
    return Number.isInteger(page) && page >= 0 && page <= this.#lastPage;
  }

  #goTo(page: number): void {
    if (this.#isPage(page)) this.#actions.goTo(page);
    else this.#number.value = String(this.#place.pageIndex + 1);
  }

  #button(text: string, page: () => number): { node: HTMLElement; page: () => number } {
    const node = element('button', { type: 'button' }, text, spoken(' page'));
    node.addEventListener('click', () => this.#goTo(page()));
    return { node, page };
  }

  #sizes(): HTMLElement {
    const options = SIZES.map((size) => element('option', { value: String(size) }, String(size)));
    const select = element('select', {}, ...options);
    select.value = '50';
    select.addEventListener('change', () => this.#actions.setSize(Number(select.value)));
    return element('label', { class: 'size' }, 'Rows ', select);
  }
}
