/**
 * Values as Go prints them: what `inspect` and `list-tags` know, as JSON and in templates.
 *
 * Sources: https://pkg.go.dev/fmt (verb %v), https://pkg.go.dev/encoding/json#Marshal,
 * https://pkg.go.dev/text/template (truth).
 */

/** `undefined` is what a map has under a key that it lacks. */
export type GoValue =
  | string
  | number
  | boolean
  | undefined
  | GoNil
  | GoTime
  | GoStruct
  | readonly GoValue[]
  | ReadonlyMap<string, GoValue>;

/** A list, map or pointer that is not there. */
export class GoNil {
  readonly of: 'list' | 'map' | 'pointer';
  constructor(of: GoNil['of']) {
    this.of = of;
  }
}

/** A moment, as RFC 3339 has it, without zeros at the end of its fraction. */
export class GoTime {
  readonly text: string;
  constructor(text: string) {
    this.text = text
      .toUpperCase()
      .replace(/(\.\d*?)0+(?=[Z+-])/, '$1')
      .replace(/\.(?=[Z+-])/, '');
  }
}

export interface GoField {
  /** In templates. */
  readonly name: string;
  /** In JSON; the name unless given. */
  readonly key?: string;
  /** Left out of JSON when there is nothing in it. */
  readonly omitEmpty?: boolean;
  readonly value: GoValue;
}

export class GoStruct {
  readonly fields: readonly GoField[];
  constructor(fields: readonly GoField[]) {
    this.fields = fields;
  }
}

export function isList(value: GoValue): value is readonly GoValue[] {
  return Array.isArray(value);
}

/** The entries of a map in the order in which Go goes through them in print. */
export function entriesOf(map: ReadonlyMap<string, GoValue>): [string, GoValue][] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** How much there is of something that can be counted. */
export function lengthOf(value: GoValue): number | undefined {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (isList(value)) return value.length;
  if (value instanceof Map) return value.size;
  return value instanceof GoNil && value.of !== 'pointer' ? 0 : undefined;
}

/** Whether `if` takes it for true. */
export function isTrue(value: GoValue): boolean {
  if (value instanceof GoStruct || value instanceof GoTime) return true;
  if (value instanceof GoNil) return false;
  return lengthOf(value) === undefined ? Boolean(value) : lengthOf(value) !== 0;
}

/** As `%v` prints it. */
export function printed(value: GoValue): string {
  if (value === undefined) return '<no value>';
  if (typeof value !== 'object') return String(value);
  if (value instanceof GoNil) return { list: '[]', map: 'map[]', pointer: '<nil>' }[value.of];
  if (value instanceof GoTime) return printedTime(value);
  if (value instanceof GoStruct) {
    return `{${value.fields.map((field) => printed(field.value)).join(' ')}}`;
  }
  if (isList(value)) return `[${value.map(printed).join(' ')}]`;
  const entries = entriesOf(value).map(([key, one]) => `${key}:${printed(one)}`);
  return `map[${entries.join(' ')}]`;
}

function printedTime({ text }: GoTime): string {
  const [, date, time, zone = ''] = /^(.{10})T([\d:.]+)(.*)$/.exec(text) ?? [];
  if (date === undefined) return text;
  const offset = zone === 'Z' ? '+0000' : zone.replace(':', '');
  return `${date} ${time} ${offset} ${zone === 'Z' ? 'UTC' : offset}`;
}

export interface JsonForm {
  /** Spaces per level; on one line unless given. */
  readonly indent?: number;
  /** `<`, `>` and `&` as escapes. */
  readonly escapeHtml?: boolean;
}

/** As Go writes JSON. */
export function goJson(value: GoValue, form: JsonForm, depth = 0): string {
  if (typeof value === 'string') return jsonString(value, form);
  if (value === undefined || value instanceof GoNil) return 'null';
  if (typeof value !== 'object') return String(value);
  if (value instanceof GoTime) return jsonString(value.text, form);
  const inner = (one: GoValue): string => goJson(one, form, depth + 1);
  if (isList(value)) return enclosed('[]', value.map(inner), form, depth);
  const colon = form.indent === undefined ? ':' : ': ';
  const entries =
    value instanceof GoStruct
      ? value.fields
          .filter((field) => field.omitEmpty !== true || isKept(field.value))
          .map((field): [string, GoValue] => [field.key ?? field.name, field.value])
      : entriesOf(value);
  const members = entries.map(([key, one]) => jsonString(key, form) + colon + inner(one));
  return enclosed('{}', members, form, depth);
}

function isKept(value: GoValue): boolean {
  return value instanceof GoStruct || isTrue(value);
}

function enclosed(
  brackets: string,
  items: readonly string[],
  { indent }: JsonForm,
  depth: number,
): string {
  const [open = '', close = ''] = brackets;
  if (items.length === 0) return open + close;
  if (indent === undefined) return open + items.join(',') + close;
  const line = `\n${' '.repeat(indent * (depth + 1))}`;
  return `${open}${line}${items.join(`,${line}`)}\n${' '.repeat(indent * depth)}${close}`;
}

const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

// oxlint-disable-next-line no-control-regex
const SPECIAL = /["\\\u0000-\u001f<>&\u2028\u2029]/g;

function jsonString(text: string, { escapeHtml = false }: JsonForm): string {
  const escaped = text.replace(SPECIAL, (one) => {
    if (!escapeHtml && '<>&'.includes(one)) return one;
    return SHORT[one] ?? `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return `"${escaped}"`;
}
