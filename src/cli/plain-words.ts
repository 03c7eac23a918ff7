/**
 * Command lines as Go programs read them, in words that yargs reads alike: options before and after
 * the command, letters in clusters, values that begin with a dash, Go's spellings of booleans.
 *
 * Source: https://pkg.go.dev/github.com/spf13/pflag, «Command line flag syntax».
 */
import { RegistrySyncError } from '../base/errors.ts';
import type { AnyCommand, OptionSpec } from './command.ts';

/** What options there are: how they are written, and whether they take a value. */
interface Grammar {
  readonly specs: ReadonlyMap<string, OptionSpec>;
  /** Names by letters. */
  readonly letters: ReadonlyMap<string, string>;
}

/** The command first, then its options as `--name` or `--name=value`, each on its own, and its words. */
export function plainWords(argv: readonly string[], commands: readonly AnyCommand[]): string[] {
  const at = commandAt(argv, commands);
  const command = commands.find(({ name }) => name === argv[at]);
  const words = command === undefined ? argv : argv.filter((_, position) => position !== at);
  const plain = rewritten(words, grammarOf(command === undefined ? commands : [command]));
  return command === undefined ? plain : [command.name, ...plain];
}

function grammarOf(commands: readonly AnyCommand[]): Grammar {
  const specs = commands.flatMap(({ options }) => Object.entries(options));
  return {
    specs: new Map(specs),
    letters: new Map(specs.flatMap(([name, { alias }]) => (alias ? [[alias, name]] : []))),
  };
}

/** Where the command's name is: the first word that is one, and no option's value. -1: nowhere. */
function commandAt(argv: readonly string[], commands: readonly AnyCommand[]): number {
  const names = new Set(commands.map(({ name }) => name));
  const grammar = grammarOf(commands);
  return argv.findIndex((word, at) => names.has(word) && !takesNext(argv[at - 1] ?? '', grammar));
}

/** Whether an option's value is the next word. */
function takesNext(word: string, { specs, letters }: Grammar): boolean {
  const [, long, letter] = /^--([^=]+)$|^-[^-=]*([^-=])$/.exec(word) ?? [];
  const spec = specs.get(long ?? letters.get(letter ?? '') ?? '');
  return spec !== undefined && spec.type !== 'boolean' && bareOf(spec) === undefined;
}

function bareOf(spec: OptionSpec | undefined): string | undefined {
  return spec?.type === 'string' ? spec.bare : undefined;
}

function rewritten(argv: readonly string[], grammar: Grammar): string[] {
  const left = [...argv];
  const words: string[] = [];
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    // Yargs loses words that stand behind it; only those that look like options need it.
    if (word === '--') return [...words, ...(left.some(isDashed) ? [word] : []), ...left];
    if (word.startsWith('--')) words.push(...longOption(word, grammar, left));
    else if (/^-./s.test(word)) words.push(...cluster(word.slice(1), grammar, left));
    else words.push(word);
  }
  return words;
}

function isDashed(word: string): boolean {
  return word.startsWith('-');
}

/** Takes a value that is a word of its own from `left`. */
function longOption(word: string, { specs }: Grammar, left: string[]): string[] {
  const [, name = '', value] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
  const spec = specs.get(name);
  // Yargs looks options up in plain objects.
  if (name in {}) throw new RegistrySyncError('USAGE', `unknown option --${name}`);
  if (spec === undefined) return [word];
  if (spec.type === 'boolean') return value === undefined ? [word] : booleanOption(name, value);
  return valueOption(name, value ?? bareOf(spec) ?? nextValue(left), word);
}

/** `-aqf oci`, `-foci`, `-f=oci`, `-a=false` */
function cluster(text: string, { specs, letters }: Grammar, left: string[]): string[] {
  const words: string[] = [];
  for (let rest = text; rest !== ''; rest = rest.slice(1)) {
    const letter = rest.slice(0, 1);
    const name = letters.get(letter);
    if (name === undefined) return [...words, `-${letter}`];
    const [, sign = '', given = ''] = /^.(=?)(.*)$/s.exec(rest) ?? [];
    if (specs.get(name)?.type !== 'boolean') {
      const value = given === '' && sign === '' ? nextValue(left) : given;
      return [...words, ...valueOption(name, value, `--${name}`)];
    }
    if (sign !== '') return [...words, ...booleanOption(name, given)];
    words.push(`--${name}`);
  }
  return words;
}

/** What looks like another option is no value: who means it writes `--option=--value`. */
function nextValue(left: string[]): string | undefined {
  return left[0] === undefined || left[0].startsWith('--') ? undefined : left.shift();
}

/** An empty value is as none. */
function valueOption(name: string, value: string | undefined, word: string): string[] {
  if (value === undefined) return [word];
  return value === '' ? [] : [`--${name}=${value}`];
}

function booleanOption(name: string, value: string): string[] {
  return value === '' ? [] : [`--${name}=${readBoolean(`--${name}`, value)}`];
}

/** @throws {RegistrySyncError} `USAGE` that names the option. */
export function readBoolean(name: string, value: string): boolean {
  const text = value.trim().toLowerCase();
  if (['true', 't', '1', 'yes', 'on'].includes(text)) return true;
  if (['false', 'f', '0', 'no', 'off'].includes(text)) return false;
  const message = `${name}: ${JSON.stringify(value)} is neither true nor false`;
  throw new RegistrySyncError('USAGE', message);
}
