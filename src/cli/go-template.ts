/**
 * Runs Go templates over what a command knows (`inspect --format`).
 *
 * Source: https://pkg.go.dev/text/template.
 */
import { callFunction } from './go-template-functions.ts';
import { parseTemplate, wrong, type Node, type Operand, type Pipe } from './go-template-syntax.ts';
import { entriesOf, GoNil, GoStruct, isList, isTrue, printed, type GoValue } from './go-value.ts';

/** `json` alone, or a template of nothing else, asks for the whole as it is printed without a template. */
export function isJsonFormat(format: string): boolean {
  return /^\s*(json|\{\{\s*json\s*\.?\s*\}\})?\s*$/.test(format);
}

/**
 * What the template makes of `data`, with a line's end at its end.
 *
 * @throws {RegistrySyncError} `USAGE` when the template is wrong, or asks for what there is not.
 */
export function renderTemplate(format: string, data: GoValue): string {
  const text = format.replace(/^table /, '');
  const out: string[] = [];
  const run = new Run(out);
  // Go tools run a template over a list of one: `$` is that list.
  try {
    run.nodes(parseTemplate(text), {
      dot: data,
      variables: new Variables(undefined, [['$', [data]]]),
    });
  } catch (error) {
    throw error instanceof RangeError ? wrong('it is nested too deep') : error;
  }
  const made = out.join('');
  return /(?:\n|\\n)$/.test(text) ? made : `${made}\n`;
}

class Variables {
  readonly #outer: Variables | undefined;
  readonly #own: Map<string, GoValue>;

  constructor(outer: Variables | undefined, own: readonly [string, GoValue][] = []) {
    this.#outer = outer;
    this.#own = new Map(own);
  }

  get(name: string): GoValue {
    if (this.#own.has(name)) return this.#own.get(name);
    if (this.#outer === undefined) throw wrong(`the variable ${name} is not defined`);
    return this.#outer.get(name);
  }

  declare(name: string, value: GoValue): void {
    this.#own.set(name, value);
  }

  assign(name: string, value: GoValue): void {
    if (this.#own.has(name)) this.#own.set(name, value);
    else if (this.#outer === undefined) throw wrong(`the variable ${name} is not defined`);
    else this.#outer.assign(name, value);
  }
}

interface Scope {
  readonly dot: GoValue;
  readonly variables: Variables;
}

/** Why a list of nodes ended before its end. */
type Left = 'break' | 'continue' | undefined;

class Run {
  readonly #out: string[];

  constructor(out: string[]) {
    this.#out = out;
  }

  nodes(nodes: readonly Node[], scope: Scope): Left {
    for (const node of nodes) {
      const left = this.#node(node, scope);
      if (left !== undefined) return left;
    }
    return undefined;
  }

  #node(node: Node, scope: Scope): Left {
    switch (node.kind) {
      case 'text':
        this.#out.push(node.text);
        return undefined;
      case 'break':
      case 'continue':
        return node.kind;
      case 'print': {
        const value = evaluate(node.pipe, scope);
        setVariables(node.pipe, [value], scope.variables);
        if (node.pipe.names.length === 0) this.#out.push(printed(value));
        return undefined;
      }
      default:
        return this.#block(node, scope);
    }
  }

  #block(node: Extract<Node, { body: unknown }>, { dot, variables }: Scope): Left {
    const inner = { dot, variables: new Variables(variables) };
    const value = evaluate(node.pipe, inner);
    if (node.kind === 'range') return this.#range(node, value, inner);
    setVariables(node.pipe, [value], inner.variables);
    if (!isTrue(value)) return this.nodes(node.otherwise, inner);
    return this.nodes(node.body, node.kind === 'with' ? { ...inner, dot: value } : inner);
  }

  #range(node: Extract<Node, { body: unknown }>, value: GoValue, scope: Scope): Left {
    const items = itemsOf(value);
    if (items.length === 0) return this.nodes(node.otherwise, scope);
    for (const [key, dot] of items) {
      const variables = new Variables(scope.variables);
      setVariables(node.pipe, node.pipe.names.length > 1 ? [key, dot] : [dot], variables);
      if (this.nodes(node.body, { dot, variables }) === 'break') break;
    }
    return undefined;
  }
}

function itemsOf(value: GoValue): readonly (readonly [GoValue, GoValue])[] {
  if (isList(value)) return value.map((one, at) => [at, one] as const);
  if (value instanceof Map) return entriesOf(value);
  if (value instanceof GoNil) return [];
  throw wrong(`range can't go over ${printed(value)}`);
}

function setVariables({ names, declares }: Pipe, values: GoValue[], variables: Variables): void {
  for (const [at, name] of names.entries()) {
    if (declares) variables.declare(name, values[at]);
    else variables.assign(name, values[at]);
  }
}

function evaluate({ commands }: Pipe, scope: Scope): GoValue {
  let result: GoValue;
  for (const [at, command] of commands.entries()) {
    result = runCommand(command, at === 0 ? [] : [result], scope);
  }
  return result;
}

function runCommand(
  [first, ...rest]: readonly Operand[],
  piped: readonly GoValue[],
  scope: Scope,
): GoValue {
  if (first === undefined) return undefined;
  if (first.kind === 'function') {
    const values = rest.map((operand) => valueOf(operand, scope));
    return callFunction(first.name, [...values, ...piped]);
  }
  if (first.kind === 'nil') throw wrong('nil is not a command');
  if (rest.length > 0 || piped.length > 0) {
    throw wrong(
      'only a function takes arguments: see the documentation of --format for which there are',
    );
  }
  return valueOf(first, scope);
}

function valueOf(operand: Operand, scope: Scope): GoValue {
  switch (operand.kind) {
    case 'literal':
      return operand.value;
    case 'nil':
      return new GoNil('pointer');
    case 'dot':
      return scope.dot;
    case 'variable':
      return scope.variables.get(operand.name);
    case 'function':
      return callFunction(operand.name, []);
    case 'pipe':
      return evaluate(operand.pipe, scope);
    case 'field':
      return fieldOf(valueOf(operand.of, scope), operand.name);
    default:
      return undefined;
  }
}

function fieldOf(value: GoValue, name: string): GoValue {
  if (value instanceof Map) return value.get(name);
  if (value instanceof GoNil && value.of === 'map') return undefined;
  if (value instanceof GoStruct) {
    const field = value.fields.find((one) => one.name === name);
    if (field !== undefined) return field.value;
    const names = value.fields.map((one) => `.${one.name}`).join(', ');
    throw wrong(`there is no .${name}, but ${names}`);
  }
  throw wrong(`there is no .${name} in ${printed(value)}`);
}
