/**
 * JSON as Go's encoding/json writes it, for documents whose digest is to be the one that other tools
 * come to.
 *
 * Source: https://pkg.go.dev/encoding/json#Marshal
 */
import { RegistrySyncError } from '../base/errors.ts';

/** Deeper than any config; shallower than what overflows the stack. */
const MAX_DEPTH = 200;

/**
 * Writes `value`. The keys of a Map are sorted, as Go does with those of a map; those of an object
 * stay in their order, as those of a struct do. Members that are `undefined` are left out.
 *
 * @throws {RegistrySyncError} `PROTOCOL` when it is nested too deep.
 */
export function goJson(value: unknown, depth = 0): string {
  if (depth > MAX_DEPTH) {
    throw new RegistrySyncError('PROTOCOL', `is nested deeper than ${MAX_DEPTH} levels`);
  }
  if (Array.isArray(value)) {
    return `[${value.map((item) => goJson(item ?? null, depth + 1)).join(',')}]`;
  }
  if (typeof value !== 'object' || value === null) return escaped(JSON.stringify(value));
  const members = value instanceof Map ? [...value].toSorted(byKey) : Object.entries(value);
  const written = members
    .filter(([, member]) => member !== undefined)
    .map(([key, member]) => `${escaped(JSON.stringify(key))}:${goJson(member, depth + 1)}`);
  return `{${written.join(',')}}`;
}

/** As bytes of UTF-8 compare. */
function byKey([a]: [unknown, unknown], [b]: [unknown, unknown]): number {
  return Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)));
}

/** Go escapes what could end a script or a line of JavaScript. */
function escaped(json: string): string {
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** RFC 3339 as Go's time.Time writes it: no zeros at the end of a fraction, and UTC is `Z`. */
export function goTime(text: string): string {
  const [, second, fraction = '', zone = ''] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?\d*(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  if (second === undefined) {
    throw new RegistrySyncError('PROTOCOL', `${JSON.stringify(text.slice(0, 40))} is no time`);
  }
  const trimmed = fraction.replace(/\.?0+$/, '');
  return `${second}${trimmed}${zone === '+00:00' ? 'Z' : zone}`;
}

/** Go's time.Time that was never set. */
export const GO_ZERO_TIME = '0001-01-01T00:00:00Z';
