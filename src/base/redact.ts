/**
 * Keeps secrets out of everything that is printed or written: URLs, logs, errors, reports.
 *
 * Two nets: URLs lose what could be a secret before they enter a message, and every line that
 * leaves the program passes `Secrets.hide`, which knows the passwords in use and the shapes of tokens.
 */

/** Query parameters that never carry a secret. The values of all others are hidden. */
const PLAIN_PARAMETERS = new Set(
  'n last digest mount from scope service artifactType orderby api-version page page_size'.split(
    ' ',
  ),
);

const HIDDEN = '***';
/** Tokens of a run over many repositories: what a server quotes is one of the last. */
const MAX_PASSING = 50;
/** Less of a secret helps nobody. */
const MIN_BEGINNING = 4;
const TOKEN_SHAPES: readonly [RegExp, string][] = [
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{6,}/gi, `$1 ${HIDDEN}`],
  [/\beyJ[\w-]{6,}\.[\w-]+\.[\w-]*/g, HIDDEN], // JSON Web Token
  [/(\bhttps?:\/\/)[^\s/@]+@/gi, `$1${HIDDEN}@`],
];

/** The URL for people: no user information, no query value that could be a signature or a token. */
export function redactUrl(url: URL): string {
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  shown.hash = '';
  for (const name of new Set(shown.searchParams.keys())) {
    if (!PLAIN_PARAMETERS.has(name)) shown.searchParams.set(name, HIDDEN);
  }
  return shown.href;
}

/** The secrets of one run. */
export class Secrets {
  readonly #values = new Set<string>();
  readonly #passing: string[] = [];
  /** All of them; the longest first, else one that begins like another would show its end. */
  #ordered: readonly string[] = [];

  /** Remembers a secret, and the forms in which it travels. Very short ones would hide ordinary text. */
  add(secret: string): void {
    if (secret.length < 4) return;
    this.#values.add(secret);
    this.#values.add(encodeURIComponent(secret));
    this.#values.add(JSON.stringify(secret).slice(1, -1));
    this.#order();
  }

  /** Remembers a secret that will soon be none, and forgets the oldest of these when there are many. */
  addPassing(secret: string): void {
    if (secret.length < 4 || this.#passing.includes(secret)) return;
    this.#passing.push(secret);
    if (this.#passing.length > MAX_PASSING) this.#passing.shift();
    this.#order();
  }

  /** Once per secret, as every line asks for it. */
  #order(): void {
    this.#ordered = [...this.#values, ...this.#passing].toSorted((a, b) => b.length - a.length);
  }

  /** `text` with every known secret and everything of a token's shape replaced by `***`. */
  hide(text: string): string {
    let shown = text;
    for (const value of this.#ordered) shown = withoutCut(shown.replaceAll(value, HIDDEN), value);
    for (const [shape, replacement] of TOKEN_SHAPES) shown = shown.replaceAll(shape, replacement);
    return shown;
  }
}

/** Quotations are cut (`abc…`), perhaps in the middle of a secret. */
function withoutCut(text: string, secret: string): string {
  let shown = text;
  for (let at = shown.indexOf('…'); at >= 0; at = shown.indexOf('…', at + 1)) {
    const before = shown.slice(Math.max(0, at - secret.length), at);
    for (let length = before.length; length >= MIN_BEGINNING; length -= 1) {
      if (!before.endsWith(secret.slice(0, length))) continue;
      shown = `${shown.slice(0, at - length)}${HIDDEN}${shown.slice(at)}`;
      at += HIDDEN.length - length;
      break;
    }
  }
  return shown;
}
