/**
 * The functions of Go templates: those of the language, and those that container tools add.
 *
 * Sources: https://pkg.go.dev/text/template, «Functions»; containers/common, docs of package report.
 */
import { wrong } from './go-template-syntax.ts';
import { goJson, isList, isTrue, lengthOf, printed, type GoValue } from './go-value.ts';

type GoFunction = (...values: readonly GoValue[]) => GoValue;

const FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  and: (...values) =>
    values[
      lastOr(
        values.findIndex((value) => !isTrue(value)),
        values,
      )
    ],
  or: (...values) => values[lastOr(values.findIndex(isTrue), values)],
  not: (value) => !isTrue(value),
  len: (value) => lengthOf(value) ?? refuse('len', `can't count ${printed(value)}`),
  index: (value, ...keys) => keys.reduce<GoValue>(indexed, value),
  slice: (value, from = 0, to = lengthOf(value)) => {
    if (typeof value === 'string')
      return value.slice(numberOf('slice', from), numberOf('slice', to));
    if (isList(value)) return value.slice(numberOf('slice', from), numberOf('slice', to));
    return refuse('slice', `can't cut ${printed(value)}`);
  },
  print: (...values) =>
    values.reduce<string>((text, value, at) => {
      const isApart = at > 0 && typeof value !== 'string' && typeof values[at - 1] !== 'string';
      return `${text}${isApart ? ' ' : ''}${printed(value)}`;
    }, ''),
  println: (...values) => `${values.map(printed).join(' ')}\n`,
  printf: (format, ...values) => formatted(textOf('printf', format), values),
  eq: (value, ...others) => others.some((other) => compared('eq', value, other) === 0),
  ne: (a, b) => compared('ne', a, b) !== 0,
  lt: (a, b) => compared('lt', a, b) < 0,
  le: (a, b) => compared('le', a, b) <= 0,
  gt: (a, b) => compared('gt', a, b) > 0,
  ge: (a, b) => compared('ge', a, b) >= 0,
  json: (value) => goJson(value, {}),
  join: (list, separator) => listOf('join', list).map(printed).join(textOf('join', separator)),
  split: (text, separator) => textOf('split', text).split(textOf('split', separator)),
  lower: (text) => textOf('lower', text).toLowerCase(),
  upper: (text) => textOf('upper', text).toUpperCase(),
  title: (text) =>
    textOf('title', text).replaceAll(/(?<![\p{L}\p{N}_'])\p{L}/gu, (c) => c.toUpperCase()),
  truncate: (text, length) => textOf('truncate', text).slice(0, numberOf('truncate', length)),
  pad: (text, before, after) =>
    ' '.repeat(numberOf('pad', before)) + textOf('pad', text) + ' '.repeat(numberOf('pad', after)),
};

/** How many values each takes, where that is fixed. */
const COUNTS: Readonly<Record<string, number>> = {
  not: 1,
  len: 1,
  ne: 2,
  lt: 2,
  le: 2,
  gt: 2,
  ge: 2,
  json: 1,
  join: 2,
  split: 2,
  lower: 1,
  upper: 1,
  title: 1,
  truncate: 2,
  pad: 3,
};

/** @throws {RegistrySyncError} `USAGE` when there is no such function, or it can't take these values. */
export function callFunction(name: string, values: readonly GoValue[]): GoValue {
  const called = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (called === undefined) {
    throw wrong(`there is no function ${name}, but ${Object.keys(FUNCTIONS).join(', ')}`);
  }
  const count = COUNTS[name];
  if (count !== undefined && count !== values.length) {
    throw wrong(`${name} takes ${count} values, not ${values.length}`);
  }
  return called(...values);
}

function lastOr(found: number, values: readonly GoValue[]): number {
  return found < 0 ? values.length - 1 : found;
}

function refuse(name: string, what: string): never {
  throw wrong(`${name}: ${what}`);
}

function textOf(name: string, value: GoValue): string {
  return typeof value === 'string' ? value : refuse(name, `${printed(value)} is no text`);
}

function numberOf(name: string, value: GoValue): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < 1e6)
    return value;
  return refuse(name, `${printed(value)} is no count`);
}

function listOf(name: string, value: GoValue): readonly GoValue[] {
  if (isList(value)) return value;
  return lengthOf(value) === 0 ? [] : refuse(name, `${printed(value)} is no list`);
}

function indexed(value: GoValue, key: GoValue): GoValue {
  if (value instanceof Map) return value.get(textOf('index', key)) ?? '';
  const list = listOf('index', value);
  const at = numberOf('index', key);
  return at < list.length
    ? list[at]
    : refuse('index', `there is no ${at}, only ${list.length} in all`);
}

function compared(name: string, a: GoValue, b: GoValue): number {
  if (typeof a !== typeof b || !['string', 'number', 'boolean'].includes(typeof a)) {
    return refuse(name, `${printed(a)} and ${printed(b)} can't be compared`);
  }
  if (a === b) return 0;
  return (a as string) < (b as string) ? -1 : 1;
}

/** Source: https://pkg.go.dev/fmt. */
function formatted(format: string, values: readonly GoValue[]): string {
  let at = 0;
  return format.replaceAll(
    /%([-+# 0]*)(\d{0,3})(?:\.(\d{1,3}))?([a-zA-Z%])/g,
    (...[, flags = '', width, precision, verb = '']: readonly string[]) => {
      if (verb === '%') return '%';
      if (at >= values.length) return `%!${verb}(MISSING)`;
      const text = verbed(verb, values[at], precision);
      at += 1;
      if (flags.includes('-')) return text.padEnd(Number(width));
      return text.padStart(Number(width), flags.includes('0') && verb === 'd' ? '0' : ' ');
    },
  );
}

function verbed(verb: string, value: GoValue, precision: string | undefined): string {
  const text = printed(value);
  switch (verb) {
    case 's':
      return precision === undefined ? text : text.slice(0, Number(precision));
    case 'v':
    case 'd':
    case 't':
      return text;
    case 'q':
      return isList(value) ? `[${value.map(quoted).join(' ')}]` : quoted(value);
    case 'f':
      return Number(value).toFixed(Math.min(Number(precision ?? 6), 100)); // JavaScript has no more
    default:
      return refuse('printf', `the verb %${verb} is not known`);
  }
}

function quoted(value: GoValue): string {
  return goJson(printed(value), {});
}
