/** One run of the program: from words to an exit code, whatever happens in between. */
import { RegistrySyncError } from '../base/errors.ts';
import { Secrets } from '../base/redact.ts';
import { onOneLine } from '../base/shown.ts';
import { type AnyCommand, type Io } from './command.ts';
import { crawlCommand } from './commands/crawl.ts';
import { loginCommand } from './commands/login.ts';
import { logoutCommand } from './commands/logout.ts';
import { syncCommand } from './commands/sync.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';

const COMMANDS: readonly AnyCommand[] = [crawlCommand, syncCommand, loginCommand, logoutCommand];

/** Resolves to the exit code; throws nothing. */
export async function run(argv: readonly string[], io: Io, version: string): Promise<number> {
  const secrets = new Secrets();
  try {
    // Scripts ask this at each of their starts, and the parser takes longer to load than Node itself.
    if (argv.length === 1 && argv[0] === '--version') {
      io.stdout.write(`${version}\n`);
      return EXIT.ok;
    }
    const { parseCommandLine } = await import('./parse.ts');
    const parsed = await parseCommandLine(argv, io.env, { commands: COMMANDS, version });
    if ('text' in parsed) {
      io.stdout.write(`${parsed.text}\n`);
      return EXIT.ok;
    }
    const execute = await parsed.command.load();
    return await execute(parsed.values as never, { ...io, secrets }, parsed.words);
  } catch (error) {
    const text = describe(error).split('\n').map(onOneLine).join('\n');
    io.stderr.write(`${secrets.hide(text)}\n`);
    return exitCodeOf(error);
  }
}

function describe(error: unknown): string {
  if (error instanceof RegistrySyncError) return `registry-sync: ${error.message}`;
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `registry-sync: this is a bug, please report it with these lines:\n${stack}`;
}
