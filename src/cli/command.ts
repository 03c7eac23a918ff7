/** What a command is: options as data, and a function of their values. Handlers never see yargs. */
import { RegistrySyncError } from '../base/errors.ts';
import type { Secrets } from '../base/redact.ts';

interface Described {
  readonly describe: string;
  /** One letter: `-a`. */
  readonly alias?: string;
  /** Known, but not shown: for scripts written for other tools. */
  readonly hidden?: boolean;
  /** The heading in the help under which the option stands. */
  readonly group?: string;
}

export type OptionSpec = Described &
  (
    | {
        readonly type: 'string';
        readonly default?: string;
        readonly choices?: readonly string[];
        /** What the option means without a value, which is then only written with `=`. */
        readonly bare?: string;
      }
    | { readonly type: 'boolean'; readonly default?: boolean }
    | { readonly type: 'integer'; readonly default?: number; readonly min: number }
    | {
        readonly type: 'strings';
        /** Commas belong to the values, as in regular expressions; a variable has one value a line. */
        readonly hasCommas?: boolean;
      }
  );

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

type Plain<S extends OptionSpec> = S extends { readonly type: 'strings' }
  ? readonly string[]
  : S extends { readonly type: 'integer' }
    ? number
    : S extends { readonly type: 'boolean' }
      ? boolean
      : S extends { readonly choices: readonly (infer C)[] }
        ? C
        : string;

type IsSet<S extends OptionSpec> = S extends { readonly type: 'strings' } | { readonly default: {} }
  ? true
  : false;

/** The values of options, by name; what was not given and has no default is undefined. */
export type Values<O extends OptionSpecs> = {
  readonly [K in keyof O]: IsSet<O[K]> extends true ? Plain<O[K]> : Plain<O[K]> | undefined;
};

/** How a run can be asked to end early. */
export interface Shutdown {
  /** Aborted by the first SIGTERM or SIGINT: nothing new starts. */
  readonly stopping: AbortSignal;
  /** Aborted when the grace period is over, or by the second signal: what runs is given up. */
  readonly signal: AbortSignal;
  /** From the first signal on. Milliseconds. */
  graceMs: number;
}

/** A terminal, or what is piped in. */
export type Input = NodeJS.ReadableStream & {
  readonly isTTY?: boolean;
  /** `true`: what is typed is not shown. Of terminals only. */
  readonly setRawMode?: (isRaw: boolean) => unknown;
};

/** A process, as far as a command sees it. */
export interface Io {
  /** Opened when it is asked for; absent: there is none. */
  readonly stdin?: () => Input;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly shutdown: Shutdown;
}

/** One run of a command: what it learns of secrets is hidden in what is printed when it fails. */
export interface RunIo extends Io {
  readonly secrets: Secrets;
  /** Of this program. */
  readonly version: string;
  /** Says in a line what came of the run, for those who see nothing else of it. The last one counts. */
  readonly conclude: (line: string) => void;
}

export interface Command<O extends OptionSpecs> {
  readonly name: string;
  /** Words besides the options. None unless given. */
  readonly words?: Words;
  /** A sentence for the list of commands. */
  readonly summary: string;
  readonly options: O;
  readonly examples: readonly (readonly [string, string])[];
  /** What people should know besides the options. */
  readonly epilogue?: string;
  /** Loads what runs the command, and resolves to the exit code: a help text needs none of it. */
  readonly load: () => Promise<
    (values: Values<O>, io: RunIo, words: readonly string[]) => Promise<number>
  >;
}

export interface Words {
  /** As in the help: `SOURCE DESTINATION`. */
  readonly usage: string;
  readonly least: number;
  readonly most: number;
}

/** A command whose options were checked; the name of the type of its options is lost. */
export interface AnyCommand extends Omit<Command<OptionSpecs>, 'load'> {
  readonly load: () => Promise<
    (values: never, io: RunIo, words: readonly string[]) => Promise<number>
  >;
}

/** Keeps the types of a command's options. */
export function defineCommand<const O extends OptionSpecs>(command: Command<O>): Command<O> {
  return command;
}

/** @throws {RegistrySyncError} `USAGE` unless exactly one of these options is given. */
export function exactlyOne(given: Readonly<Record<string, string | undefined>>): string {
  const [value, ...more] = Object.values(given).filter((one) => one !== undefined);
  if (value !== undefined && more.length === 0) return value;
  const names = Object.keys(given)
    .map((name) => `--${name}`)
    .join(' or ');
  const message = value === undefined ? `give ${names}` : `give only one of ${names}`;
  throw new RegistrySyncError('USAGE', message);
}
