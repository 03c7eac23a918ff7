/**
 * HTML as a template tag: whatever is put in is text, and stays text.
 *
 * Names and errors come from registries, and CSVs from anybody.
 */

/** Made by `html` or `trusted` only. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Piece = string | number | Html | readonly Html[] | undefined;

/** Values are escaped, for text and for quoted attributes; `undefined` is nothing. */
export function html(strings: TemplateStringsArray, ...values: readonly Piece[]): Html {
  const rest = values.map((value, at) => `${piece(value)}${strings[at + 1] ?? ''}`);
  return new Html(`${strings[0] ?? ''}${rest.join('')}`);
}

/** What we wrote ourselves. */
export function trusted(text: string): Html {
  return new Html(text);
}

function piece(value: Piece): string {
  if (value === undefined) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map(({ text }) => text).join('');
  return escapeHtml(String(value));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
