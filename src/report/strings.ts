/** A table of strings, each kept once and known by a number: names of repositories and tags repeat. */

export class Strings {
  readonly #ids = new Map<string, number>();
  readonly #texts: string[] = [];

  get count(): number {
    return this.#texts.length;
  }

  /** The number of `text`; enters it if it is new. */
  add(text: string): number {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    // A part of a larger string would keep the whole of it in memory: a CSV's chunk.
    const own = Buffer.from(text).toString();
    this.#ids.set(own, this.#texts.length);
    return this.#texts.push(own) - 1;
  }

  /** The number of `text`, if it is known. */
  find(text: string): number | undefined {
    return this.#ids.get(text);
  }

  at(id: number): string {
    return this.#texts[id] ?? '';
  }
}

/**
 * A key by which plain comparison sorts as people do: `1.9` before `1.10`.
 *
 * Each number is preceded by how many digits it has.
 */
export function naturalKey(text: string): string {
  return text.replaceAll(/\d+/g, (digits) => {
    const plain = digits.replace(/^0+(?=\d)/, '');
    return `${String.fromCodePoint(0x30 + Math.min(plain.length, 70))}${plain}`;
  });
}

/** Code units, as everywhere: the same on every machine, in every language. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
