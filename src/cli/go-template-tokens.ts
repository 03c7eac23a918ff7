/** The words of an action of a Go template. Source: https://pkg.go.dev/text/template. */
import { RegistrySyncError } from '../base/errors.ts';

export type Token =
  | { readonly kind: 'literal'; readonly text: string; readonly value: string | number }
  /** `.Name`, without the dot; `isTight`: nothing is between it and what is before. */
  | { readonly kind: 'field'; readonly text: string; readonly isTight: boolean }
  | { readonly kind: 'variable' | 'word' | 'sign'; readonly text: string };

const TOKEN =
  /(\s+)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(`[^`]*`)|([-+]?(?:0[xX][\da-fA-F]+|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?))|\.([\p{L}_][\p{L}\p{N}_]*)|(\$[\p{L}\p{N}_]*)|([\p{L}_][\p{L}\p{N}_]*)|(:=|[=,|().])/uy;

/** @throws {RegistrySyncError} `USAGE` at what can't be part of an action. */
export function actionTokens(action: string): Token[] {
  const tokens: Token[] = [];
  let isTight = false;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < action.length) {
    const at = TOKEN.lastIndex;
    const found = TOKEN.exec(action);
    if (found === null) {
      const message = `--format: ${JSON.stringify(action.slice(at, at + 20))} is not understood`;
      throw new RegistrySyncError('USAGE', message);
    }
    const token = tokenOf(found, isTight);
    if (token !== undefined) tokens.push(token);
    isTight = token !== undefined && token.text !== '|' && token.text !== '(' && token.text !== ',';
  }
  return tokens;
}

function tokenOf(found: RegExpExecArray, isTight: boolean): Token | undefined {
  const [text, space, quoted, raw, number, field, variable, word] = found;
  if (space !== undefined) return undefined;
  if (quoted !== undefined) return { kind: 'literal', text, value: unquoted(quoted) };
  if (raw !== undefined) return { kind: 'literal', text, value: raw.slice(1, -1) };
  if (number !== undefined) return { kind: 'literal', text, value: Number(number) };
  if (field !== undefined) return { kind: 'field', text: field, isTight };
  if (variable !== undefined) return { kind: 'variable', text };
  return { kind: word === undefined ? 'sign' : 'word', text };
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** A string, or the code of a character in single quotes. */
function unquoted(quoted: string): string | number {
  const text = quoted
    .slice(1, -1)
    .replace(/\\(?:x[\da-f]{2}|u[\da-f]{4}|U[\da-f]{8}|[0-7]{3}|.)/gi, unescaped);
  return quoted.startsWith("'") ? (text.codePointAt(0) ?? 0) : text;
}

function unescaped(escape: string): string {
  const letter = escape.slice(1);
  if (letter.length === 1) return ESCAPES[letter] ?? letter;
  const code = /^\d/.test(letter)
    ? Number.parseInt(letter, 8)
    : Number.parseInt(letter.slice(1), 16);
  return code > 0x10_ff_ff ? '\ufffd' : String.fromCodePoint(code);
}
