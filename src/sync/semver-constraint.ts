/**
 * Constraints of versions as `images-by-semver` has them: those of the Go package Masterminds/semver.
 *
 * Source: https://github.com/Masterminds/semver/tree/v3.2.0#basic-comparisons
 */
import semver from 'semver';

import { RegistrySyncError } from '../base/errors.ts';

const PART = '(?:\\d+|[xX*])';
const VERSION = `v?${PART}(?:\\.${PART}){0,2}(?:-[0-9A-Za-z.-]+)?(?:\\+[0-9A-Za-z.-]+)?`;
const OPERATOR = '=>|=<|>=|<=|!=|~>|[=<>~^]';
const TERM = new RegExp(`\\s*,?\\s*(${OPERATOR})?\\s*(${VERSION})\\s*`, 'y');
const HYPHEN = new RegExp(`(${VERSION})\\s+-\\s+(${VERSION})`, 'g');
const TAG = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?$/;

type Test = (version: semver.SemVer) => boolean;

/**
 * Compiles a constraint. What is no version never matches, and a prerelease only what names one.
 *
 * @param where what has it, for messages.
 * @throws {RegistrySyncError} `USAGE` when it can't be understood.
 */
export function compileConstraint(where: string, text: string): (tag: string) => boolean {
  const alternatives = text.split('||').map((one) => termsOf(one.replaceAll(HYPHEN, '>=$1 <=$2')));
  const tests = alternatives.filter((terms) => terms !== undefined);
  if (tests.length < alternatives.length) {
    const message = `${where} ${JSON.stringify(text)} is no constraint of versions: write for example ">= 3.12.0" or "^1.2, != 1.3.1"`;
    throw new RegistrySyncError('USAGE', message);
  }
  return (tag) => {
    const version = versionOf(tag);
    return version !== undefined && tests.some((terms) => terms.every((term) => term(version)));
  };
}

/** All of which have to hold; `undefined`: it can't be understood. */
function termsOf(text: string): Test[] | undefined {
  const terms: Test[] = [];
  TERM.lastIndex = 0;
  let end = 0;
  for (let found = TERM.exec(text); found !== null; found = TERM.exec(text)) {
    const term = termOf(found[1] ?? '=', found[2] ?? '');
    if (term === undefined) return undefined;
    terms.push(term);
    end = TERM.lastIndex;
  }
  return terms.length > 0 && text.slice(end).trim() === '' ? terms : undefined;
}

const SPELLINGS: Readonly<Record<string, string>> = { '=>': '>=', '=<': '<=', '~>': '~', '=': '' };

function termOf(operator: string, version: string): Test | undefined {
  const namesPrerelease = version.includes('-');
  const isNegated = operator === '!=';
  const comparator = isNegated ? '' : (SPELLINGS[operator] ?? operator);
  let range: semver.Range;
  try {
    range = new semver.Range(`${comparator}${version}`, { includePrerelease: true, loose: true });
  } catch {
    return undefined;
  }
  return (candidate) => {
    if (candidate.prerelease.length > 0 && !namesPrerelease) return false;
    return range.test(candidate) !== isNegated;
  };
}

/** `v1.2.3`, `1.2`, `3`, `1.2-alpine`; leading zeros count for nothing. */
function versionOf(tag: string): semver.SemVer | undefined {
  const [found, major, minor = '0', patch = '0', prerelease] = TAG.exec(tag) ?? [];
  if (found === undefined) return undefined;
  const numbers = [major, minor, patch].map((part) => `${part}`.replace(/^0+(?=\d)/, ''));
  const text = numbers.join('.') + (prerelease === undefined ? '' : `-${prerelease}`);
  return semver.parse(text) ?? undefined;
}
