/** Reads what the program put into the page. */
import { DIGEST_CHARS, type PageRows, type Payload } from '../payload.ts';

/** Inflates the data and parses it. Nothing is asked of a network. */
export async function readPayload(text: string): Promise<Payload> {
  const bytes = Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0));
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return (await new Response(inflated).json()) as Payload;
}

/** The digest of a row; empty: none. */
export function digestReader(rows: PageRows): (row: number) => string {
  const others = new Map(rows.otherDigests);
  return (row) => {
    const hex = rows.digests.slice(row * DIGEST_CHARS, (row + 1) * DIGEST_CHARS).trim();
    return hex === '' ? (others.get(row) ?? '') : `sha256:${hex}`;
  };
}
