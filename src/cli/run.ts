/** One run of the program: from words to an exit code, whatever happens in between. */
import { RegistrySyncError } from '../base/errors.ts';
import { Secrets } from '../base/redact.ts';
import { onOneLine } from '../base/shown.ts';
import { type AnyCommand, type Io } from './command.ts';
import { completionCommand } from './commands/completion.ts';
import { copyCommand } from './commands/copy.ts';
import { crawlCommand } from './commands/crawl.ts';
import { loginCommand } from './commands/login.ts';
import { logoutCommand } from './commands/logout.ts';
import { deleteCommand } from './commands/delete.ts';
import { inspectCommand } from './commands/inspect.ts';
import { listTagsCommand } from './commands/list-tags.ts';
import { manifestDigestCommand } from './commands/manifest-digest.ts';
import { pruneCommand } from './commands/prune.ts';
import { reportCommand } from './commands/report.ts';
import { syncCommand } from './commands/sync.ts';
import { verifyCommand } from './commands/verify.ts';
import { withinTimeout } from './command-timeout.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { writeTerminationLog } from './termination-log.ts';

const COMMANDS: readonly AnyCommand[] = [
  crawlCommand,
  syncCommand,
  verifyCommand,
  pruneCommand,
  reportCommand,
  copyCommand,
  inspectCommand,
  listTagsCommand,
  deleteCommand,
  loginCommand,
  logoutCommand,
  manifestDigestCommand,
  completionCommand(() => COMMANDS),
];

/** Resolves to the exit code; throws nothing. */
export async function run(argv: readonly string[], io: Io, version: string): Promise<number> {
  const secrets = new Secrets();
  let terminationLog: string | undefined;
  let conclusion: string | undefined;
  const conclude = (line: string): void => {
    conclusion = line;
  };
  try {
    // Scripts ask this at each of their starts, and the parser takes longer to load than Node itself.
    if (argv.length === 1 && /^(?:--version|-v)$/.test(argv[0] ?? '')) {
      io.stdout.write(`${versionLine(version)}\n`);
      return EXIT.ok;
    }
    const { parseCommandLine } = await import('./parse.ts');
    const parsed = await parseCommandLine(argv, io.env, {
      commands: COMMANDS,
      version: versionLine(version),
    });
    if ('text' in parsed) {
      io.stdout.write(`${parsed.text}\n`);
      return EXIT.ok;
    }
    const { command, values, words } = parsed;
    const timeout = values['command-timeout'] as string | undefined;
    terminationLog = values['termination-log'] as string | undefined;
    const execute = await command.load();
    return await withinTimeout(timeout, io.shutdown, (shutdown) =>
      execute(values as never, { ...io, shutdown, secrets, version, conclude }, words),
    );
  } catch (error) {
    conclude(secrets.hide(describe(error).split('\n').map(onOneLine).join('\n')));
    io.stderr.write(`${conclusion}\n`);
    return exitCodeOf(error);
  } finally {
    if (conclusion !== undefined) await writeTerminationLog(terminationLog, conclusion);
  }
}

/** The skopeo whose command lines are understood; scripts look for these words. */
function versionLine(version: string): string {
  return `registry-sync version ${version}, in the place of skopeo version 1.20.0`;
}

function describe(error: unknown): string {
  if (error instanceof RegistrySyncError) return `registry-sync: ${error.message}`;
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `registry-sync: this is a bug, please report it with these lines:\n${stack}`;
}
