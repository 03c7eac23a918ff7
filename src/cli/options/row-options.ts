/** Options of commands that work on rows of tags.csv: which rows there are, and where each belongs at the target. */
import type { OptionSpec } from '../command.ts';
import { REGISTRY_KIND } from './registry-name.ts';

/** Where rows come from. */
export const ROW_SOURCE = {
  'source-registry': { type: 'string', describe: 'registry that rows are of, HOST[:PORT]' },
  'source-registry-name': {
    type: 'string',
    describe: 'the same by its Azure name: NAME means NAME.azurecr.io',
  },
  'source-registry-kind': REGISTRY_KIND,
  namespace: { type: 'string', describe: 'only rows of this namespace' },
  'tags-file': { type: 'string', describe: 'CSV to read instead of WORKDIR/tags.csv' },
} as const satisfies Record<string, OptionSpec>;

/** Where rows go. */
export const ROW_TARGET = {
  'target-registry': { type: 'string', describe: 'registry that rows go to, HOST[:PORT]' },
  'target-registry-name': {
    type: 'string',
    describe: 'the same; a NAME without a dot means NAME.azurecr.io',
  },
  'target-registry-kind': REGISTRY_KIND,
  'target-namespace': {
    type: 'string',
    describe: "stands in for the source's namespace; may have several parts",
  },
} as const satisfies Record<string, OptionSpec>;

/** The names that rows get there. */
export const ROW_NAMES = {
  'target-path': {
    type: 'string',
    describe:
      'repository at the target (in DESTINATION): a template of {namespace} {path} {repository} {name} {tag} {registry}, with {path:-} joined by "-" and :TAG at its end, or one of keep ({namespace}/{path}: the default of rows), two-components ({namespace}/{path:-}), last ({namespace}/{name})',
  },
  'append-suffix': { type: 'string', describe: 'is added to every tag at the target' },
} as const satisfies Record<string, OptionSpec>;

type Grouped<S> = { readonly [N in keyof S]: S[N] & { readonly group: string } };

/** The same options under a heading of the help. */
export function inGroup<const S extends Record<string, OptionSpec>>(
  group: string,
  specs: S,
): Grouped<S> {
  return Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => [name, { ...spec, group }]),
  ) as unknown as Grouped<S>;
}
