/** Lengths of time as Go writes them: `90s`, `1h30m`. Source: https://pkg.go.dev/time#ParseDuration. */
import { RegistrySyncError } from '../base/errors.ts';

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const PART = '(\\d+\\.?\\d*|\\.\\d+)(ns|us|µs|μs|ms|s|m|h)';
const WHOLE = new RegExp(`^\\+?(?:0|(?:${PART})+)$`);

/**
 * Milliseconds.
 *
 * @throws {RegistrySyncError} `USAGE` that names the option.
 */
export function readDuration(option: string, text: string): number {
  if (!WHOLE.test(text)) {
    const message = `--${option}: ${JSON.stringify(text)} is no length of time, as in 90s or 1h30m`;
    throw new RegistrySyncError('USAGE', message);
  }
  const parts = [...text.matchAll(new RegExp(PART, 'g'))];
  return parts.reduce(
    (sum, [, number, unit = '']) => sum + Number(number) * (UNITS_MS[unit] ?? 0),
    0,
  );
}
