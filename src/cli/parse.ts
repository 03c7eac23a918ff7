/**
 * From argv and the environment to a command and its values; from commands to help texts.
 *
 * Source: https://yargs.js.org/docs/
 */
import yargs, { type Options } from 'yargs';

import { RegistrySyncError } from '../base/errors.ts';
import type { AnyCommand, OptionSpec } from './command.ts';
import { nearestTo } from './nearest.ts';
import { UNBUILT_COMMANDS } from './options/unbuilt.ts';
import { plainWords, readBoolean } from './plain-words.ts';

/** What is to be done: run a command, or print a text (help, version). */
export type Parsed =
  | {
      readonly command: AnyCommand;
      readonly values: Readonly<Record<string, unknown>>;
      /** What is no option. */
      readonly words: readonly string[];
    }
  | { readonly text: string };

type Environment = Readonly<Record<string, string | undefined>>;

const WIDTH = 100;
const ENV_PREFIX = 'REGISTRY_SYNC_';
const ENV_HELP = `Every option can also be an environment variable: --tag-regex is ${ENV_PREFIX}TAG_REGEX. The command line counts first; an empty value is as none.`;

/** @throws {RegistrySyncError} `USAGE` that says what is wrong with the command line. */
export async function parseCommandLine(
  argv: readonly string[],
  env: Environment,
  { commands, version }: { readonly commands: readonly AnyCommand[]; readonly version: string },
): Promise<Parsed> {
  let chosen: { command: AnyCommand; argv: Readonly<Record<string, unknown>> } | undefined;
  const parser = yargs()
    .scriptName('registry-sync')
    .usage('Keeps container images in sync between registries.\n\nUsage: $0 <command> [options]')
    .parserConfiguration({
      'camel-case-expansion': false,
      'duplicate-arguments-array': true,
      'greedy-arrays': false,
      'boolean-negation': false,
      'dot-notation': false,
      'parse-positional-numbers': false,
    })
    .version(version)
    .help()
    .alias('help', 'h')
    .wrap(WIDTH)
    .strict()
    .demandCommand(1, 'give a command')
    .exitProcess(false)
    .showHelpOnFail(false)
    .epilogue(ENV_HELP);
  for (const command of commands) {
    parser.command(
      command.words === undefined ? command.name : `${command.name} [words..]`,
      command.summary,
      (sub) => {
        for (const [name, spec] of Object.entries(command.options)) sub.option(name, toYargs(spec));
        for (const [example, what] of command.examples) sub.example(example, what);
        return sub
          .usage(
            `${command.summary}\n\nUsage: $0 ${command.name} [options] ${command.words?.usage ?? ''}`,
          )
          .config(fromEnvironment(command, env))
          .epilogue([command.epilogue, ENV_HELP].filter(Boolean).join('\n\n'));
      },
      (parsed) => {
        chosen = { command, argv: parsed };
      },
    );
  }
  const text = await new Promise<string>((resolve, reject) => {
    void parser.parse(plainWords(argv, commands), {}, (error, _parsed, output) => {
      if (error) reject(asUsage(error, argv, commands));
      else resolve(output);
    });
  });
  if (chosen === undefined) return { text };
  const { command } = chosen;
  const words = readWords(command, chosen.argv.words);
  return { command, values: readValues(command, chosen.argv), words };
}

function toYargs(spec: OptionSpec): Options {
  const { describe, group } = spec;
  const shown = {
    describe,
    ...(group === undefined ? {} : { group }),
    ...(spec.alias === undefined ? {} : { alias: spec.alias }),
    ...(spec.hidden === true ? { hidden: true } : {}),
    ...('default' in spec ? { default: spec.default } : {}),
    requiresArg: spec.type !== 'boolean',
  };
  switch (spec.type) {
    case 'boolean':
      return { ...shown, type: 'boolean' };
    case 'strings':
      return { ...shown, type: 'string', array: true };
    case 'integer':
      return { ...shown, type: 'string' };
    default:
      return { ...shown, type: 'string' };
  }
}

/** Only names of options count: Kubernetes makes variables of its own from a service's name. */
function fromEnvironment({ options }: AnyCommand, env: Environment): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(options)) {
    const variable = `${ENV_PREFIX}${name.toUpperCase().replaceAll('-', '_')}`;
    const value = env[variable];
    if (value) found[name] = fromVariable(variable, spec, value);
  }
  return found;
}

function fromVariable(variable: string, spec: OptionSpec, value: string): unknown {
  const { type } = spec;
  if (spec.type === 'strings') {
    return value.split(spec.hasCommas === true ? /\r?\n/ : /[\s,]+/).filter(Boolean);
  }
  if (type === 'string' && spec.bare !== undefined) return fromSwitch(spec.bare, value);
  return type === 'boolean' ? readBoolean(variable, value) : value;
}

/** A variable can't be there without a value: `true` means what the option means without one. */
function fromSwitch(bare: string, value: string): string | undefined {
  if (/^(?:true|yes|1)$/i.test(value)) return bare;
  return /^(?:false|no|0)$/i.test(value) ? undefined : value;
}

function readWords({ name, words }: AnyCommand, given: unknown): readonly string[] {
  if (words === undefined) return [];
  const found = (Array.isArray(given) ? given : []).map(String);
  if (found.length >= words.least && found.length <= words.most) return found;
  const count = words.least === words.most ? `${words.least}` : `${words.least} to ${words.most}`;
  const noun = count === '1' ? 'word' : 'words';
  throw usage(
    `${name} takes ${count} ${noun}, ${words.usage}: ${found.length} given (see registry-sync ${name} --help)`,
  );
}

function readValues(
  { options }: AnyCommand,
  argv: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(options).map(([name, spec]) => [name, readValue(name, spec, argv[name])]),
  );
}

function readValue(name: string, spec: OptionSpec, given: unknown): unknown {
  if (spec.type === 'strings') {
    const all: unknown[] = Array.isArray(given) ? given : [];
    const texts = all.map(String);
    const each = spec.hasCommas === true ? texts : texts.flatMap((text) => text.split(','));
    return each.filter(Boolean);
  }
  // Given twice, the last one counts, as in a shell's aliases.
  const value: unknown = Array.isArray(given) ? given.at(-1) : given;
  if (value === undefined || value === '') return 'default' in spec ? spec.default : undefined;
  if (spec.type === 'boolean') return value;
  if (spec.type === 'integer') return readInteger(name, spec.min, String(value));
  const text = String(value);
  if (spec.choices !== undefined && !spec.choices.includes(text)) {
    throw usage(`--${name}: ${JSON.stringify(text)} is none of ${spec.choices.join(', ')}`);
  }
  return text;
}

function readInteger(name: string, min: number, text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && Number.isSafeInteger(value)) return value;
  throw usage(`--${name}: ${JSON.stringify(text)} is no whole number from ${min} on`);
}

/** Yargs' own words, or better ones, and where to look. Values are not shown: they may be secrets. */
function asUsage(
  error: Error,
  argv: readonly string[],
  commands: readonly AnyCommand[],
): RegistrySyncError {
  if (error instanceof RegistrySyncError) return error;
  const command = commands.find(({ name }) => argv.includes(name));
  const unbuilt = argv.find((word) => Object.hasOwn(UNBUILT_COMMANDS, word));
  if (command === undefined && unbuilt !== undefined) {
    return usage(`${unbuilt}: ${UNBUILT_COMMANDS[unbuilt]}`);
  }
  const [, unknown] = /^Unknown arguments?: (.+)$/s.exec(error.message) ?? [];
  const message = error.message.replace(
    /^Not enough arguments following: (.+)$/,
    '--$1 needs a value',
  );
  const described = unknown
    ?.split(', ')
    .map((word) => describeUnknown(word, { argv, command, commands }))
    // What follows an unknown command is its own.
    .filter((text, at, all) => !isUnknownCommand(text) || all.findIndex(isUnknownCommand) === at);
  const what = described?.join('; ') ?? message;
  const help = ['registry-sync', ...(command === undefined ? [] : [command.name]), '--help'];
  return usage(`${what} (see ${help.join(' ')})`);
}

function isUnknownCommand(text: string): boolean {
  return text.startsWith(UNKNOWN_COMMAND);
}

const UNKNOWN_COMMAND = 'unknown command';

function describeUnknown(
  word: string,
  {
    argv,
    command,
    commands,
  }: {
    readonly argv: readonly string[];
    readonly command: AnyCommand | undefined;
    readonly commands: readonly AnyCommand[];
  },
): string {
  const isOption = argv.some((given) => {
    const [, long, letters] = /^--([^=]+)|^-([^-].*)/.exec(given) ?? [];
    return long === word || letters === word || (word.length === 1 && letters?.includes(word));
  });
  if (isOption) {
    const known = command === undefined ? [] : Object.keys(command.options);
    const dashes = word.length === 1 ? '-' : '--';
    return `unknown option ${dashes}${word}${suggestion(nearestTo(word, known), '--')}`;
  }
  const names = command === undefined ? commands.map(({ name }) => name) : [];
  const what = command === undefined ? UNKNOWN_COMMAND : 'a word that belongs to no option:';
  return `${what} ${JSON.stringify(word)}${suggestion(nearestTo(word, names), '')}`;
}

function suggestion(name: string | undefined, dashes: string): string {
  return name === undefined ? '' : `: did you mean ${dashes}${name}?`;
}

function usage(message: string): RegistrySyncError {
  return new RegistrySyncError('USAGE', message);
}
