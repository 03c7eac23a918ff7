/**
 * A small and strict reader of GraphQL queries: one operation, fields with arguments and selections.
 * There are no variables, aliases, fragments or directives.
 *
 * Source: spec.graphql.org, «Language».
 */

export type Argument =
  | { readonly kind: 'string' | 'enum'; readonly value: string }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'object'; readonly value: Readonly<Record<string, Argument>> };

export interface Field {
  readonly name: string;
  readonly arguments: Readonly<Record<string, Argument>>;
  /** Empty when there is no selection. */
  readonly fields: readonly Field[];
}

/** What is no query that is understood here. */
export class QueryError extends Error {}

const TOKEN = /[\s,]*(?:([A-Za-z_]\w*)|("(?:[^"\\\n]|\\.)*")|(-?\d+)|([{}():]))/y;

/** The fields that are asked for. @throws {QueryError} */
export function parseQuery(text: string): readonly Field[] {
  const reader = new Reader(tokensOf(text));
  if (reader.peek() === 'query') {
    reader.take();
    if (reader.peek() !== '{') reader.name();
  }
  const fields = reader.selection();
  reader.end();
  return fields;
}

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    const match = TOKEN.exec(text);
    if (match === null) {
      const rest = text.slice(at).replace(/^[\s,]+/, '');
      if (rest === '') break;
      throw new QueryError(`Cannot parse the unexpected character "${rest[0]}".`);
    }
    tokens.push(match[0].replace(/^[\s,]+/, ''));
  }
  return tokens;
}

class Reader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  peek(): string | undefined {
    return this.#tokens[this.#at];
  }

  take(wanted?: string): string {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new QueryError('Unexpected <EOF>');
    if (wanted !== undefined && token !== wanted) {
      throw new QueryError(`Expected ${wanted}, found ${token}`);
    }
    return token;
  }

  name(): string {
    const token = this.take();
    if (!/^[A-Za-z_]/.test(token)) throw new QueryError(`Expected Name, found ${token}`);
    return token;
  }

  end(): void {
    if (this.#at < this.#tokens.length) throw new QueryError(`Unexpected ${this.take()}`);
  }

  /** `{a b{c}}` */
  selection(): Field[] {
    this.take('{');
    const fields: Field[] = [];
    while (this.peek() !== '}') fields.push(this.#field());
    this.take('}');
    if (fields.length === 0) throw new QueryError('Expected Name, found }');
    return fields;
  }

  #field(): Field {
    const name = this.name();
    return {
      name,
      arguments: this.peek() === '(' ? this.#pairs('(', ')') : {},
      fields: this.peek() === '{' ? this.selection() : [],
    };
  }

  #pairs(open: string, close: string): Record<string, Argument> {
    const pairs: Record<string, Argument> = {};
    this.take(open);
    while (this.peek() !== close) {
      const name = this.name();
      this.take(':');
      pairs[name] = this.#value();
    }
    this.take(close);
    return pairs;
  }

  #value(): Argument {
    const token = this.peek() ?? '';
    if (token === '{') return { kind: 'object', value: this.#pairs('{', '}') };
    this.take();
    if (token.startsWith('"')) return { kind: 'string', value: JSON.parse(token) as string };
    if (/^-?\d/.test(token)) return { kind: 'number', value: Number(token) };
    if (/^[A-Za-z_]/.test(token)) return { kind: 'enum', value: token };
    throw new QueryError(`Unexpected ${token}`);
  }
}
