/**
 * The log: one line per fact on stderr, as JSON or as text for people.
 *
 * `msg` is constant and facts are fields; info is a line per image, debug a line per request, never
 * a header's value. Every line passes `Secrets.hide` on its way out.
 */
import { pino, type Logger } from 'pino';

import type { Secrets } from './redact.ts';
import { onOneLine } from './shown.ts';

export type Log = Logger;
export type LogFormat = 'text' | 'json';

export interface LogSettings {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly format: LogFormat;
  readonly secrets: Secrets;
  /** Stands as `run` in each line of JSON: lines of several runs come together where logs are kept. */
  readonly runId?: string;
  /** Writes whole lines. */
  readonly write: (text: string) => void;
}

/** A logger; pino-pretty is loaded only for `text`. */
export async function createLog(settings: LogSettings): Promise<Log> {
  const { level, format, secrets, runId, write } = settings;
  const base = format === 'json' && runId !== undefined ? { run: runId } : null;
  const options = { level, base, timestamp: pino.stdTimeFunctions.isoTime };
  const plain = (line: string): void => write(secrets.hide(line));
  // Before it is quoted, perhaps twice: then it looks otherwise than all the forms that are known.
  const hidden = (fields: Record<string, unknown>): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [
        name,
        typeof value === 'string' ? secrets.hide(value) : value,
      ]),
    );
  if (format === 'json') {
    const formatters = { level: (label: string) => ({ level: label }), log: hidden };
    return pino({ ...options, formatters }, { write: plain });
  }
  const { default: pinoPretty } = await import('pino-pretty');
  const pretty = pinoPretty.prettyFactory({
    colorize: false,
    translateTime: 'UTC:HH:MM:ss',
    hideObject: true,
    messageFormat: (fields, messageKey) => sentence(fields, messageKey),
  });
  return pino(
    { ...options, formatters: { log: hidden } },
    { write: (line) => plain(pretty(line) ?? line) },
  );
}

/** A message and its facts on one line: `image copied target=r.test/a:1 bytes=12`. */
function sentence(fields: Readonly<Record<string, unknown>>, messageKey: string): string {
  const facts = Object.entries(fields)
    .filter(([name]) => ![messageKey, 'level', 'time'].includes(name))
    .map(([name, value]) => `${name}=${fact(value)}`);
  return [fields[messageKey], ...facts].join(' ');
}

function fact(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  // Control characters too: what a server says must not steer a terminal.
  const quoted =
    /[\s"=\p{Cc}]/u.test(text) && typeof value === 'string' ? JSON.stringify(text) : text;
  return onOneLine(quoted); // JSON leaves those of Latin 1 as they are
}

/** A log that says nothing, for callers that need none. */
export function silentLog(): Log {
  return pino({ level: 'silent' });
}
