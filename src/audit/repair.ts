/**
 * Copies images again and looks at what came of it: a registry may keep what is damaged when it is sent
 * anew, and nothing is called repaired that is not. docs/decisions/0012 says what registries do.
 */
import { RegistrySyncError } from '../base/errors.ts';
import type { Copy, CopyRequest, CopyResult } from '../copy/copier.ts';
import type { Digest } from '../image/digest.ts';
import { formatReference } from '../image/reference.ts';
import type { MappedRow } from '../sync/rows.ts';
import type { Verdict } from './verify.ts';

export interface RepairSettings {
  /** Copies everything, whatever the target says it has. */
  readonly copy: Copy;
  /** Looks at what the target has of a row then. */
  readonly verify: (row: MappedRow) => Promise<Verdict>;
  /** Takes care that this is brought once more, and looked at once more. */
  readonly doubt: (row: MappedRow, digest: Digest) => void;
}

/** What a registry says it holds is brought without asking the second time; more often helps nobody. */
const MAX_TRIES = 2;

/** Copies a row's image, and fails unless the target then has it. */
export function createRepair({
  copy,
  verify,
  doubt,
}: RepairSettings): (request: CopyRequest, row: MappedRow) => Promise<CopyResult> {
  return async (request, mapped) => {
    let moved = { bytes: 0, mountedBytes: 0 };
    for (let attempt = 1; ; attempt += 1) {
      const result = await copy(request);
      moved = {
        bytes: moved.bytes + result.bytes,
        mountedBytes: moved.mountedBytes + result.mountedBytes,
      };
      const row = { ...mapped.row, digest: result.digest };
      const verdict = await verify({ ...mapped, row });
      if (verdict.status === 'ok') return { ...result, ...moved };
      if (verdict.error !== undefined) throw verdict.error;
      if (attempt >= MAX_TRIES || verdict.status !== 'damaged') throw notRepaired(verdict);
      for (const { digest } of verdict.damage) doubt(mapped, digest);
    }
  };
}

const WHAT_TO_DO =
  'the registry keeps what it has under a digest, and takes no other bytes for it. Delete that content in its storage (docker-registry: blobs/sha256/XX/DIGEST/data), or delete all images that need it and collect its garbage; then repair again';

function notRepaired({ target, status, detail }: Verdict): RegistrySyncError {
  const name = `target ${formatReference(target)}`;
  const details = { side: 'target', notRepaired: true };
  const message =
    status === 'damaged'
      ? `${name}: was pushed again and is still damaged: ${detail}: ${WHAT_TO_DO}`
      : `${name}: was pushed again, and then: ${detail}`;
  return new RegistrySyncError('REJECTED', message, { details });
}
