/** Every fault at every class of requests to the target. */
import { AMISS } from './amiss.ts';
import { KINDS } from './kinds.ts';
import { defineMatrix } from './matrix.ts';

const TARGET = KINDS.filter(({ side }) => side === 'target');

defineMatrix(TARGET, AMISS, { concurrency: 4 });
