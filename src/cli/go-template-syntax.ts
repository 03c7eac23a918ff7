/**
 * Reads a Go template: the part of the language that people use to pick fields.
 *
 * Source: https://pkg.go.dev/text/template.
 */
import { RegistrySyncError } from '../base/errors.ts';
import { actionTokens, type Token } from './go-template-tokens.ts';

export type Operand =
  | { readonly kind: 'literal'; readonly value: string | number | boolean }
  | { readonly kind: 'nil' }
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'pipe'; readonly pipe: Pipe }
  | { readonly kind: 'field'; readonly of: Operand; readonly name: string };

/** Commands whose results are handed on, perhaps to variables. */
export interface Pipe {
  readonly names: readonly string[];
  /** `:=`; else they are there already. */
  readonly declares: boolean;
  readonly commands: readonly (readonly Operand[])[];
}

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly pipe: Pipe }
  | { readonly kind: 'break' | 'continue' }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipe: Pipe;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    };

type Piece = { readonly text: string } | { readonly action: string };

const WORDS = new Set(['if', 'with', 'range', 'else', 'end', 'break', 'continue']);
const UNKNOWN = new Set(['template', 'define', 'block']);

/** @throws {RegistrySyncError} `USAGE` that says what is wrong with it. */
export function parseTemplate(text: string): readonly Node[] {
  const reader = new TemplateReader(piecesOf(text));
  const nodes = reader.nodes();
  if (reader.ended !== '') throw wrong(`{{${reader.ended}}} ends nothing`);
  return nodes;
}

export function wrong(what: string): RegistrySyncError {
  return new RegistrySyncError('USAGE', `--format: ${what}`);
}

// Quoted strings may hold braces.
const ACTION =
  /\{\{(-\s)?((?:"(?:[^"\\\n]|\\.)*"|`[^`]*`|'(?:[^'\\\n]|\\.)*'|(?!\}\})[^"`'])*?)(\s-)?\}\}/y;
const COMMENT = /\{\{(-\s)?\s*\/\*[\s\S]*?\*\/\s*?(\s-)?\}\}/y;

/** Text and actions in turn; `{{-` and `-}}` take the blanks away. */
function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let trims = false;
  while (at < text.length) {
    const open = text.indexOf('{{', at);
    const end = open < 0 ? text.length : open;
    let plain = unescaped(text.slice(at, end));
    if (trims) plain = plain.trimStart();
    if (open < 0) {
      pieces.push({ text: plain });
      break;
    }
    const comment = matchAt(COMMENT, text, open);
    const found = comment ?? matchAt(ACTION, text, open);
    if (found === undefined) throw wrong('an action that begins with {{ does not end with }}');
    pieces.push({ text: found[1] === undefined ? plain : plain.trimEnd() });
    if (comment === undefined) pieces.push({ action: found[2] ?? '' });
    trims = (comment === undefined ? found[3] : found[2]) !== undefined;
    at = open + found[0].length;
  }
  return pieces;
}

/** `\n` and `\t` are written as two letters on command lines. */
function unescaped(text: string): string {
  return text.replaceAll('\\n', '\n').replaceAll('\\t', '\t');
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}

class TemplateReader {
  readonly #pieces: readonly Piece[];
  #at = 0;
  /** The word that ended the list of nodes: `end`, `else`, `else if …`; empty at the end of the text. */
  ended = '';
  #afterElse: readonly Token[] = [];

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
  }

  nodes(): Node[] {
    const nodes: Node[] = [];
    for (;;) {
      const piece = this.#pieces[this.#at];
      this.#at += 1;
      if (piece === undefined) {
        this.ended = '';
        return nodes;
      }
      if ('text' in piece) {
        if (piece.text !== '') nodes.push({ kind: 'text', text: piece.text });
        continue;
      }
      const tokens = actionTokens(piece.action);
      const word = wordOf(tokens);
      if (word === 'end' || word === 'else') {
        this.ended = word;
        this.#afterElse = tokens.slice(1);
        return nodes;
      }
      nodes.push(this.#node(word, tokens));
    }
  }

  #node(word: string | undefined, tokens: readonly Token[]): Node {
    if (word === 'break' || word === 'continue') return { kind: word };
    if (word === 'if' || word === 'with' || word === 'range') {
      return this.#block(word, tokens.slice(1));
    }
    return { kind: 'print', pipe: new PipeReader(tokens).whole() };
  }

  #block(kind: 'if' | 'with' | 'range', tokens: readonly Token[]): Node {
    const pipe = new PipeReader(tokens).whole();
    const body = this.nodes();
    if (this.ended === 'end') return { kind, pipe, body, otherwise: [] };
    if (this.ended === '') throw wrong(`{{${kind}}} has no {{end}}`);
    const rest = this.#afterElse;
    const word = wordOf(rest);
    // `else if` is an `if` inside of the `else`; one `end` closes both.
    if (word === 'if' || word === 'with') {
      return { kind, pipe, body, otherwise: [this.#block(word, rest.slice(1))] };
    }
    const otherwise = this.nodes();
    if (this.ended !== 'end') throw wrong(`{{${kind}}} has no {{end}}`);
    return { kind, pipe, body, otherwise };
  }
}

function wordOf([first]: readonly Token[]): string | undefined {
  if (first?.kind !== 'word') return undefined;
  if (UNKNOWN.has(first.text)) throw wrong(`{{${first.text}}} is not known here`);
  return WORDS.has(first.text) ? first.text : undefined;
}

class PipeReader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** All tokens as one pipe. */
  whole(): Pipe {
    const pipe = this.#pipe();
    const left = this.#next();
    if (left !== undefined) throw wrong(`${JSON.stringify(left.text)} is not expected`);
    return pipe;
  }

  #next(): Token | undefined {
    return this.#tokens[this.#at];
  }

  #pipe(): Pipe {
    const { names, declares } = this.#declaration();
    const commands = [this.#command()];
    while (this.#next()?.text === '|') {
      this.#at += 1;
      commands.push(this.#command());
    }
    return { names, declares, commands };
  }

  /** `$x :=`, `$i, $e :=`, `$x =` */
  #declaration(): Pick<Pipe, 'names' | 'declares'> {
    const names: string[] = [];
    for (let at = this.#at; ; at += 2) {
      const [variable, sign] = this.#tokens.slice(at, at + 2);
      if (variable?.kind !== 'variable' || names.length > 1) break;
      names.push(variable.text);
      if (sign?.text === ',') continue;
      if (sign?.text !== ':=' && sign?.text !== '=') break;
      this.#at = at + 2;
      return { names, declares: sign.text === ':=' };
    }
    return { names: [], declares: false };
  }

  #command(): Operand[] {
    const operands: Operand[] = [];
    for (;;) {
      const token = this.#next();
      if (token === undefined || token.text === '|' || token.text === ')') break;
      operands.push(this.#operand(token));
    }
    if (operands.length === 0) throw wrong('an action is empty, or a | has nothing on one side');
    return operands;
  }

  #operand(token: Token): Operand {
    this.#at += 1;
    let operand = this.#simple(token);
    for (;;) {
      const next = this.#next();
      if (next?.kind !== 'field' || !next.isTight) return operand;
      this.#at += 1;
      operand = { kind: 'field', of: operand, name: next.text };
    }
  }

  #simple(token: Token): Operand {
    switch (token.kind) {
      case 'literal':
        return { kind: 'literal', value: token.value };
      case 'field':
        return { kind: 'field', of: { kind: 'dot' }, name: token.text };
      case 'variable':
        return { kind: 'variable', name: token.text };
      case 'word':
        return named(token.text);
      default:
        break;
    }
    if (token.text === '.') return { kind: 'dot' };
    if (token.text !== '(') throw wrong(`${JSON.stringify(token.text)} is not expected`);
    const pipe = this.#pipe();
    if (this.#next()?.text !== ')') throw wrong('a ( has no )');
    this.#at += 1;
    return { kind: 'pipe', pipe };
  }
}

function named(word: string): Operand {
  if (word === 'true' || word === 'false') return { kind: 'literal', value: word === 'true' };
  if (word === 'nil') return { kind: 'nil' };
  if (WORDS.has(word) || UNKNOWN.has(word)) throw wrong(`{{${word}}} is not expected here`);
  return { kind: 'function', name: word };
}
