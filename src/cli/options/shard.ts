/** `--shard`, or what Kubernetes says to a pod of an Indexed Job. */
import { RegistrySyncError } from '../../base/errors.ts';
import { parseShard, type Shard } from '../../sync/shard.ts';

/**
 * The share of the work that is this process's; `undefined`: all of it.
 *
 * Kubernetes sets JOB_COMPLETION_INDEX in the pods of an Indexed Job, and nothing that says how many
 * there are: that is for the manifest to say, as JOB_COMPLETIONS.
 * Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
 *
 * @throws {RegistrySyncError} `USAGE`
 */
export function readShard(
  option: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Shard | undefined {
  if (option !== undefined) return parseShard(option, '--shard');
  const { JOB_COMPLETION_INDEX: index, JOB_COMPLETIONS: completions } = env;
  if (!index && !completions) return undefined;
  if (index && completions) {
    return parseShard(`${index}/${completions}`, 'JOB_COMPLETION_INDEX/JOB_COMPLETIONS');
  }
  const message = index
    ? `JOB_COMPLETION_INDEX is ${JSON.stringify(index)}, so this is one pod of several, but nothing says of how many: set JOB_COMPLETIONS to the Job's completions, or give --shard I/N (--shard 0/1: each pod does everything)`
    : 'JOB_COMPLETIONS is set, but JOB_COMPLETION_INDEX is not: the Job needs completionMode Indexed';
  throw new RegistrySyncError('USAGE', message);
}
