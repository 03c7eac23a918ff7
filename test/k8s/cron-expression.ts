/**
 * Schedules as Kubernetes reads them.
 *
 * Source: github.com/robfig/cron v3, ParseStandard.
 */
const FIELDS = [
  { name: 'minute', min: 0, max: 59, words: [] },
  { name: 'hour', min: 0, max: 23, words: [] },
  { name: 'day of month', min: 1, max: 31, words: [] },
  {
    name: 'month',
    min: 1,
    max: 12,
    words: 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' '),
  },
  { name: 'day of week', min: 0, max: 6, words: 'sun mon tue wed thu fri sat'.split(' ') },
] as const;
const MACROS = /^@(yearly|annually|monthly|weekly|daily|midnight|hourly|every \d+(\.\d+)?(s|m|h))$/;

type Field = (typeof FIELDS)[number];

/** What is wrong with it; `undefined`: nothing. */
export function cronProblem(expression: string): string | undefined {
  if (MACROS.test(expression)) return undefined;
  if (/^(CRON_)?TZ=/.test(expression)) return 'a time zone belongs into timeZone';
  const parts = expression.trim().split(/\s+/);
  if (parts.length !== FIELDS.length) return `${parts.length} fields, not ${FIELDS.length}`;
  const wrong = FIELDS.find(
    (field, n) => !(parts[n] ?? '').split(',').every((one) => fits(one, field)),
  );
  return wrong && `its ${wrong.name} is wrong`;
}

function fits(text: string, field: Field): boolean {
  const [, range = '', step] = /^([^/]+)(?:\/([1-9]\d*))?$/.exec(text) ?? [];
  if (step === '0') return false;
  if (range === '*' || range === '?') return true;
  const [first, last, ...more] = range.split('-').map((word) => numberOf(word, field));
  if (first === undefined || more.length > 0 || Number.isNaN(first)) return false;
  return last === undefined || first <= last;
}

/** NaN: none of the field. */
function numberOf(word: string, { min, max, words }: Field): number {
  const named = (words as readonly string[]).indexOf(word.toLowerCase());
  const number = named >= 0 ? named + min : /^\d+$/.test(word) ? Number(word) : NaN;
  return number >= min && number <= max ? number : NaN;
}
