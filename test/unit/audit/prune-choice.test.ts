import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'node:test';

import {
  chooseOld,
  rowsFor,
  sortTags,
  subjectKey,
  subjectOf,
  type ChoiceRules,
} from '../../../src/audit/prune-choice.ts';
import { digestOf } from '../../../src/image/digest.ts';
import type { TagInfo } from '../../../src/registry/catalog.ts';

const NOW = Date.parse('2025-06-30T00:00:00Z');
const RULES: ChoiceRules = {
  isListed: (_, tag) => tag.startsWith('listed'),
  isOurs: (_, tag) => !tag.startsWith('foreign'),
  isProtected: (repository, tag) => `${repository}:${tag}`.startsWith('a/b:safe'),
  now: NOW,
  reason: 'is not in tags.csv',
};
const HEX = 'ab'.repeat(32);
const named = (...names: string[]): TagInfo[] => names.map((name) => ({ name }));
const namesOf = (tags: readonly TagInfo[]): string[] => tags.map(({ name }) => name);

describe('sortTags', () => {
  it('parts what is wanted, protected, attached, foreign and the rest', () => {
    const tags = named('listed', 'safe', `sha256-${HEX}.sig`, 'foreign', 'gone');

    const sorted = sortTags('a/b', tags, RULES);

    deepEqual(sorted.listed, ['listed']);
    deepEqual(
      sorted.spared.map(({ tag }) => tag),
      ['safe', 'foreign'],
    );
    deepEqual(namesOf(sorted.attachments), [`sha256-${HEX}.sig`]);
    deepEqual(namesOf(sorted.candidates), ['gone']);
  });

  it('protects an attachment that a pattern names', () => {
    const rules = { ...RULES, isProtected: () => true };

    const { attachments, spared } = sortTags('a/b', named(`sha256-${HEX}`), rules);

    deepEqual([attachments.length, spared.length], [0, 1]);
  });
});

describe('chooseOld', () => {
  const at = (name: string, lastUpdatedOn?: string): TagInfo => ({ name, lastUpdatedOn });

  it('lets everything go without rules', () => {
    deepEqual(namesOf(chooseOld(named('a', 'b'), RULES).going), ['a', 'b']);
  });

  it('spares what is younger than the least age, to the millisecond, and what has no date', () => {
    const tags = [
      at('young', '2025-06-29T00:00:00.001Z'),
      at('old', '2025-06-29T00:00:00.000Z'),
      at('unknown'),
      at('nonsense', 'yesterday'),
    ];

    const { going, spared } = chooseOld(tags, { ...RULES, minAge: 1 });

    deepEqual(namesOf(going), ['old']);
    deepEqual(
      spared.map(({ tag }) => tag),
      ['young', 'unknown', 'nonsense'],
    );
  });

  it('spares the newest of those that would go, after the young', () => {
    const tags = [
      at('1', '2025-01-01T00:00:00Z'),
      at('2', '2025-02-01T00:00:00Z'),
      at('3', '2025-03-01T00:00:00Z'),
      at('4', '2025-06-29T12:00:00Z'),
    ];

    const { going, spared } = chooseOld(tags, { ...RULES, minAge: 30, keepNewest: 1 });

    deepEqual(namesOf(going).toSorted(), ['1', '2']);
    deepEqual(
      spared.map(({ tag }) => tag),
      ['4', '3'],
    );
  });

  it('spares what has no date beside those that have one, as it may be the newest', () => {
    const tags = [
      at('1.0', '2025-01-01T00:00:00Z'),
      at('1.1', '2025-02-01T00:00:00Z'),
      at('2.0'),
      at('2.1', 'yesterday'),
    ];

    const { going, spared } = chooseOld(tags, { ...RULES, keepNewest: 1 });

    deepEqual(namesOf(going), ['1.0']);
    deepEqual(
      spared.map(({ tag, reason }) => `${tag} ${reason}`),
      ['2.0 is of unknown age', '2.1 is of unknown age', '1.1 is among the newest 1'],
    );
  });

  it('goes by version where there are no dates', () => {
    const { going } = chooseOld(named('1.9.0', '1.10.0', '1.2.0'), { ...RULES, keepNewest: 1 });

    deepEqual(namesOf(going).toSorted(), ['1.2.0', '1.9.0']);
  });
});

describe('rowsFor', () => {
  const digest = digestOf(Buffer.from('x'));
  const going = [{ name: 't', digest }];
  const settings = { needed: () => undefined, reason: 'is old' };
  const actions = (
    needed: string | undefined,
    deletion: Parameters<typeof rowsFor>[2]['deletion'],
  ) => {
    const { rows, spared } = rowsFor('a', going, { ...settings, needed: () => needed, deletion });
    return [rows.map(({ action }) => action), spared.length];
  };

  it('deletes what nothing needs', () => {
    deepEqual(actions(undefined, { tags: 'protocol', manifests: 'with tags' }), [['delete'], 0]);
  });

  it('takes the tag alone of what something needs', () => {
    deepEqual(actions('k needs it', { tags: 'acr', manifests: 'with tags' }), [['untag'], 0]);
  });

  it('leaves what something needs where tags are not taken away alone', () => {
    deepEqual(actions('k needs it', { tags: 'none', manifests: 'with tags' }), [[], 1]);
  });

  it('takes tags only where nothing is deleted by digest', () => {
    deepEqual(actions(undefined, { tags: 'docker-hub', manifests: 'never' }), [['untag'], 0]);
  });
});

describe('subjectOf', () => {
  it('knows the tags of cosign and of lists of referrers, and no others', () => {
    for (const tag of [
      `sha256-${HEX}`,
      `sha256-${HEX}.sig`,
      `sha256-${HEX}.att`,
      `sha256-${HEX}.sbom`,
    ]) {
      equal(subjectOf(tag), `sha256-${HEX}`);
    }
    for (const tag of ['latest', `sha256-${HEX}.txt`, `sha256-${HEX}0`, `sha256-${HEX.slice(1)}`]) {
      equal(subjectOf(tag), undefined);
    }
  });

  it('gives what subjectKey makes of the digest, longer ones cut', () => {
    const long = digestOf(Buffer.from('x'), 'sha512');

    equal(subjectOf(subjectKey(long)), subjectKey(long));
    equal(subjectKey(long).length, 'sha512-'.length + 64);
  });
});
