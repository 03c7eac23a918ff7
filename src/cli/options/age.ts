/** Ages: lengths of time as everywhere, and days, which people count ages in. */
import { RegistrySyncError } from '../../base/errors.ts';
import { readDuration } from './duration.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Milliseconds of an age as `36h`, `3d` or `1d12h`. A number alone may be meant as anything.
 *
 * @throws {RegistrySyncError} `USAGE`
 */
export function readAge(option: string, text: string): number {
  const [, days, rest = text] = /^(\d+)d(.*)$/s.exec(text) ?? [];
  if (days !== undefined && rest === '') return Number(days) * DAY_MS;
  try {
    return Number(days ?? 0) * DAY_MS + readDuration(option, rest);
  } catch {
    throw wrong(option, text, 'is no age: write for example 36h or 3d');
  }
}

/**
 * Whole days, as `30` or `30d`.
 *
 * @throws {RegistrySyncError} `USAGE`
 */
export function readDays(option: string, text: string): number {
  const [, days] = /^(\d{1,6})d?$/.exec(text) ?? [];
  if (days !== undefined) return Number(days);
  throw wrong(option, text, 'is no number of days: write for example 30 or 30d');
}

function wrong(option: string, text: string, what: string): RegistrySyncError {
  return new RegistrySyncError('USAGE', `--${option}: ${JSON.stringify(text)} ${what}`);
}
