/** Every fault at every class of requests to the source. */
import { AMISS } from './amiss.ts';
import { KINDS } from './kinds.ts';
import { defineMatrix } from './matrix.ts';

const SOURCE = KINDS.filter(({ side }) => side === 'source');

defineMatrix(SOURCE, AMISS, { concurrency: 4 });
