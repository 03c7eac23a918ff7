/** Where the benchmark keeps what takes long to make: it can be removed at any time. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Raised when the models change: what is cached of others is not used then. */
const VERSION = 1;

export const CACHE = join(tmpdir(), 'registry-sync-bench', `v${VERSION}`);
