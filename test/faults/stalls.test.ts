/** Registries that fall silent: only a timeout ends that, and the message says what was waited for. */
import { describe } from 'node:test';

import { STALLS } from './amiss.ts';
import { KINDS } from './kinds.ts';
import { defineMatrix } from './matrix.ts';
import { connections } from './net.ts';

const TIMEOUT_MS = 500; // undici makes a second of it

describe('a registry that falls silent', { concurrency: 3 }, () => {
  defineMatrix(KINDS, STALLS, { concurrency: 6, dispatcher: connections(TIMEOUT_MS) });
});
