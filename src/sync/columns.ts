/**
 * The columns of the CSV files of a workdir. People and other tools know them by these names: those of the first two
 * files are what the Python registry-sync wrote, byte for byte.
 */

/** Of repositories.csv. */
export const REPOSITORY_COLUMNS = ['namespace', 'name'] as const;

/** Of tags.csv. */
export const TAG_COLUMNS = [
  'namespace',
  'repo_name',
  'name',
  'created_on',
  'last_updated_on',
  'digest',
] as const;

/** Of results.csv. */
export const RESULT_COLUMNS = [
  'namespace',
  'repo_name',
  'name',
  'digest',
  'target',
  'status',
  'bytes',
  'elapsed_ms',
  'error',
] as const;

/** Of verify.csv: `sync --repair` takes it as it takes tags.csv. */
export const VERIFY_COLUMNS = [
  'namespace',
  'repo_name',
  'name',
  'digest',
  'target',
  'status',
  'found_digest',
  'size',
  'detail',
] as const;

/** Of prune.csv, the plan. */
export const PRUNE_COLUMNS = [
  'repository',
  'tag',
  'digest',
  'last_updated_on',
  'action',
  'reason',
] as const;

/** Of prune-results.csv: repositories are those of the target. */
export const PRUNE_RESULT_COLUMNS = ['repository', 'tag', 'digest', 'status', 'error'] as const;
