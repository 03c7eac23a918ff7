/** Says in what two outcomes differ, and whether that is meant. */
import type { Case, Expectation, Outcome } from './case.ts';
import type { Reason } from './reasons.ts';
import { sha256 } from './tree.ts';
import { unpacked } from './unpacked.ts';
import { likeOlder, progressOf, VARIATIONS } from './variations.ts';

type Aspect = keyof Expectation;

/** One sentence for each thing that is not as it should be; none when all is well. */
export function complaints(test: Case, skopeo: Outcome, ours: Outcome): string[] {
  const { differs } = test;
  const meant = new Set<Aspect>([
    ...(Object.keys(differs?.skopeo ?? {}) as Aspect[]),
    ...(Object.keys(differs?.ours ?? {}) as Aspect[]),
    ...variationsOf(test, skopeo, ours).flatMap(({ excuses }) => excuses),
  ]);
  const compared = Object.entries(COMPARISONS).filter(([aspect]) => !meant.has(aspect as Aspect));
  return [
    ...compared.flatMap(([, compare]) => compare(skopeo, ours, test)),
    ...unmet('skopeo', differs?.skopeo, skopeo),
    ...unmet('ours', differs?.ours, ours),
    ...unsaid('skopeo', test, skopeo),
    ...unsaid('ours', test, ours),
  ];
}

/** Why the two differ where that is meant. */
export function reasonsOf(test: Case, skopeo: Outcome, ours: Outcome): Reason[] {
  const own = test.differs === undefined ? [] : [test.differs.because];
  const common = variationsOf(test, skopeo, ours).map(({ because }) => because);
  const printed = ours.stdout.includes('The digest has changed')
    ? (['digestReported'] as const)
    : [];
  return [...own, ...common, ...printed];
}

function variationsOf(test: Case, skopeo: Outcome, ours: Outcome): typeof VARIATIONS {
  return VARIATIONS.filter(({ applies }) => applies(skopeo, ours, test));
}

type Comparison = (skopeo: Outcome, ours: Outcome, test: Case) => string[];

const COMPARISONS: Readonly<Record<Aspect, Comparison>> = {
  code: compareCodes,
  stdout: compareStdout,
  stderr: compareFailure,
  left: compareLeft,
};

function unsaid(name: string, { says }: Case, { stdout, stderr }: Outcome): string[] {
  if (says === undefined || says.test(stdout + stderr)) return [];
  return [`${name} does not say ${says}:\n${stdout}${stderr}`];
}

function compareCodes(skopeo: Outcome, ours: Outcome): string[] {
  if (skopeo.code === ours.code) return [];
  const said = `skopeo: ${skopeo.stderr.trim()}\nours: ${ours.stderr.trim()}`;
  return [`exit code ${ours.code}, skopeo's is ${skopeo.code}\n${said}`];
}

function compareStdout(skopeo: Outcome, ours: Outcome, test: Case): string[] {
  const how = test.stdout ?? (/\b(copy|sync)\b/.test(test.line) ? 'progress' : 'exact');
  if (how === 'any' || (how === 'progress' && skopeo.code !== 0)) return [];
  const [theirs, mine] = [skopeo.stdout, ours.stdout].map(VIEWS[how]);
  return theirs === mine ? [] : [`stdout differs\nskopeo: ${theirs}\nours:   ${mine}`];
}

const VIEWS = {
  exact: likeOlder,
  lines: (text: string) => likeOlder(text).split('\n').toSorted().join('\n'),
  progress: progressOf,
} as const;

/** Who fails says why, and on stderr. */
function compareFailure(skopeo: Outcome, ours: Outcome): string[] {
  if (ours.code === 0 || skopeo.code === 0) return [];
  return ours.stderr.trim() === '' ? ['it fails and does not say why'] : [];
}

function compareLeft(skopeo: Outcome, ours: Outcome, test: Case): string[] {
  const how = test.left ?? 'same';
  if (how === 'any') return [];
  const view = how === 'unpacked' ? unpacked : (tree: Outcome['left']) => tree;
  const [theirs, mine] = [view(skopeo.left), view(ours.left)];
  const failed = skopeo.code !== 0 && ours.code !== 0;
  return [...new Set([...theirs.keys(), ...mine.keys()])].toSorted().flatMap((name) => {
    const [there, here] = [theirs.get(name), mine.get(name)];
    // Who fails need not leave half of it; blobs that no manifest names come and go.
    if (failed && (here === undefined || name.includes('/blobs/'))) return [];
    if (there === undefined) return isNothing(name) ? [] : [`left by us only: ${name}`];
    if (here === undefined) return isNothing(name) ? [] : [`left by skopeo only: ${name}`];
    if (how === 'names' || there.equals(here)) return [];
    return [`${name} differs\nskopeo: ${shown(there)}\nours:   ${shown(here)}`];
  });
}

/** An empty directory. */
function isNothing(name: string): boolean {
  return name.endsWith('/');
}

function shown(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  const isText = !/[\0\uFFFD]/.test(text.slice(0, 2000));
  return isText ? text.slice(0, 3000) : `${bytes.length} bytes, sha256:${sha256(bytes)}`;
}

function unmet(name: string, expected: Expectation | undefined, outcome: Outcome): string[] {
  const { code, stdout, stderr, left } = expected ?? {};
  const found: string[] = [];
  if (code !== undefined && outcome.code !== code) {
    found.push(`${name} ends with ${outcome.code} instead of ${code}: ${outcome.stderr.trim()}`);
  }
  if (stdout !== undefined && !fits(stdout, outcome.stdout)) {
    found.push(`${name}'s stdout is not ${stdout}:\n${outcome.stdout}`);
  }
  if (stderr !== undefined && !stderr.test(outcome.stderr)) {
    found.push(`${name}'s stderr is not ${stderr}:\n${outcome.stderr}`);
  }
  const names = [...outcome.left.keys()].toSorted();
  if (left !== undefined && names.join('\n') !== left.toSorted().join('\n')) {
    found.push(`${name} leaves ${names.join(', ')} instead of ${left.join(', ')}`);
  }
  return found;
}

function fits(expected: string | RegExp, text: string): boolean {
  return typeof expected === 'string' ? expected === text : expected.test(text);
}
