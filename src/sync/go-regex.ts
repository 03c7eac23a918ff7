/**
 * Regular expressions as Go writes them, for JavaScript: of text in ASCII, as tags are.
 *
 * Source: https://pkg.go.dev/regexp/syntax
 */
import { createContext, Script } from 'node:vm';

import { RegistrySyncError } from '../base/errors.ts';

/** POSIX's classes, and Unicode's as far as ASCII has any of them: what stands between brackets. */
const CLASSES: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7F',
  blank: '\\t ',
  cntrl: '\\x00-\\x1F\\x7F',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};
const UNICODE: Readonly<Record<string, string>> = {
  L: 'A-Za-z',
  Lu: 'A-Z',
  Ll: 'a-z',
  N: '0-9',
  Nd: '0-9',
};
/** Escapes that JavaScript spells otherwise. Go's `\s` is ASCII and has no vertical tab. */
const ESCAPES: Readonly<Record<string, string>> = {
  A: '(?<![\\s\\S])',
  z: '(?![\\s\\S])',
  a: '\\x07',
  s: '[\\t\\n\\f\\r ]',
  S: '[^\\t\\n\\f\\r ]',
};
const IN_CLASS: Readonly<Record<string, string>> = { a: '\\x07', s: '\\t\\n\\f\\r ' };
const SAME = /^[bBdDwWfnrtv]$/;

/**
 * A pattern's pieces, longest first: quoted text, Unicode classes, code points, POSIX classes,
 * escapes, what begins a group, and brackets.
 */
const PIECES =
  /\\Q(?<quoted>[\s\S]*?)(?:\\E|$)|\\(?<p>p|P)(?:\{(?<long>\^?\w+)\}|(?<letter>\w))|\\x\{(?<point>[0-9A-Fa-f]+)\}|\[:(?<not>\^?)(?<posix>\w+):\]|\\(?<escaped>x[0-9A-Fa-f]{2}|[\s\S])|\((?<group>\?(?:P?<\w+>|:|<?[=!]|[\s\S]))?|\[\^?(?<first>\]?)|\]/g;

/** Go's take linear time; JavaScript's can take years for `^([a-z]+-?)+$`, deaf to signals. */
const TIMEOUT_MS = 1000;
const TEST = new Script('regex.test(text)');

type Groups = Readonly<Record<string, string | undefined>>;

/**
 * Compiles it. It matches anywhere, as Go's `MatchString` does.
 *
 * @param where what has it, for messages: `--filter`.
 * @throws {RegistrySyncError} `USAGE` when it is none, or asks for what can't be had here.
 */
export function compileGoRegex(where: string, source: string): (text: string) => boolean {
  try {
    const context = createContext({ regex: translated(source), text: '' });
    return (text) => {
      context.text = text;
      try {
        return TEST.runInContext(context, { timeout: TIMEOUT_MS }) as boolean;
      } catch (cause) {
        const message = `${where} ${JSON.stringify(source)} takes too long for ${JSON.stringify(text)}: write it without repetitions of repetitions`;
        throw new RegistrySyncError('USAGE', message, { cause });
      }
    };
  } catch (cause) {
    const message = `${where} ${JSON.stringify(source)} is no regular expression: ${(cause as Error).message}`;
    throw new RegistrySyncError('USAGE', message, { cause });
  }
}

function translated(source: string): RegExp {
  const [prefix = '', flags = ''] = /^\(\?([ims]+)\)/.exec(source) ?? [];
  let isInClass = false;
  const pattern = source.slice(prefix.length).replaceAll(PIECES, (piece: string, ...rest) => {
    const groups = rest.at(-1) as Groups;
    const known = escapeOrClass(piece, groups, isInClass);
    if (known !== undefined) return known;
    if (isInClass) {
      if (piece.endsWith(']')) isInClass = false;
      return piece.startsWith('[') ? `\\${piece}` : piece;
    }
    if (piece.startsWith('(')) return groups.group === undefined ? '(' : groupStart(groups.group);
    if (piece === ']') return '\\]';
    isInClass = true;
    return groups.first === ']' ? `${piece.slice(0, -1)}\\]` : piece;
  });
  return new RegExp(pattern, flags);
}

/** What means the same wherever it stands, or nearly. */
function escapeOrClass(piece: string, groups: Groups, isInClass: boolean): string | undefined {
  const { quoted, p, long, letter = '', point, not, posix, escaped } = groups;
  if (quoted !== undefined) return literal(quoted);
  if (p !== undefined) return unicodeClass(piece, p === 'P', long ?? letter, isInClass);
  if (point !== undefined) return codePoint(point);
  if (escaped !== undefined) return escape(escaped, isInClass);
  if (posix === undefined) return undefined;
  return isInClass ? posixClass(piece, not === '^', posix) : piece;
}

function literal(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

function unicodeClass(piece: string, isUpper: boolean, name: string, isInClass: boolean): string {
  const isNegated = isUpper !== name.startsWith('^');
  const members = UNICODE[name.replace('^', '')];
  if (members === undefined || (isNegated && isInClass)) {
    throw new Error(`${piece} is not supported: write the characters, as in [A-Za-z]`);
  }
  if (isInClass) return members;
  return isNegated ? `[^${members}]` : `[${members}]`;
}

function codePoint(hex: string): string {
  const value = Number.parseInt(hex, 16);
  if (value > 0xffff) throw new Error(`\\x{${hex}} is not supported`);
  return `\\u${value.toString(16).padStart(4, '0')}`;
}

function posixClass(piece: string, isNegated: boolean, name: string): string {
  const members = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
  if (members === undefined) throw new Error(`there is no class ${piece}`);
  if (isNegated) throw new Error(`${piece} is not supported: write what is meant`);
  return members;
}

function escape(escaped: string, isInClass: boolean): string {
  const known = isInClass ? IN_CLASS : ESCAPES;
  if (Object.hasOwn(known, escaped)) return known[escaped] as string;
  const isWordly = /^[0-9A-Za-z]/.test(escaped);
  if (isWordly && !SAME.test(escaped) && escaped.length === 1) {
    throw new Error(`\\${escaped} has no meaning`);
  }
  return `\\${escaped}`;
}

function groupStart(group: string): string {
  if (group.startsWith('?P<')) return `(?<${group.slice(3)}`;
  if (/^\?<\w+>$/.test(group)) return `(${group}`;
  if (group.startsWith('?:')) return `(${group}`;
  if (/^\?<?[=!]/.test(group)) throw new Error(`(${group} looks around, which Go can't`);
  throw new Error('flags as (?i) may stand only at its beginning');
}
